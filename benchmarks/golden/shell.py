"""Golden runs of the shell: each command in a process of its own, in one folder, one after another."""

from __future__ import annotations

import contextlib
import csv
import importlib
import io
import json
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Found = dict[str, Any]

# Their import takes longer than most commands: a process that is forked has them.
LIBRARIES = (
    "llvmlite.binding", "numpy", "pyarrow.csv", "pyarrow.parquet", "rich.table", "safetensors.numpy",
    "sklearn.metrics", "sklearn.neural_network", "sklearn.datasets", "typer", "clearprop.cli",
)  # fmt: skip

# Name of the run: the commands, each with its files as it left them.
COMMANDS: dict[str, tuple[str, ...]] = {
    "iris": (
        "train iris --epochs 3 --seed 0 --log iris.csv --output iris.safetensors",
        "evaluate iris.safetensors iris",
        "evaluate iris.safetensors iris --json --part train",
        "info iris.safetensors",
        "info iris.safetensors --json",
        "predict iris.safetensors iris",
        "predict iris.safetensors iris --part all --output iris-predictions.csv",
        "explain iris.safetensors iris --row 3",
        "explain iris.safetensors iris --format json",
        "explain iris.safetensors iris --notation jordan --format latex",
        "explain iris.safetensors iris --notation dp --format html",
        "explain iris.safetensors iris --format mathml --learning-rate 0.1 --digits 6",
        "diagnose iris.safetensors iris",
        "diagnose iris.safetensors iris --json",
        "check iris.safetensors iris",
        "check iris.safetensors iris --json",
    ),
    "digits, no hidden layer, checkpoint": (
        "train digits --epochs 1 --seed 0 --hidden none --checkpoint digits-c.safetensors "
        "--output digits.safetensors",
        "train digits --epochs 3 --seed 0 --hidden none --checkpoint digits-c.safetensors --resume "
        "--output digits.safetensors --json",
        "train digits --epochs 3 --seed 0 --checkpoint digits-c.safetensors",
        "info digits-c.safetensors --json",
        "diagnose digits-c.safetensors digits --json",
        "evaluate digits.safetensors digits",
    ),
    "diabetes": (
        "train diabetes --epochs 4 --seed 1 --hidden 6,5 --activation tanh --l2 0.01 --threads 2 "
        "--output diabetes.safetensors",
        "evaluate diabetes.safetensors diabetes --json",
        "predict diabetes.safetensors diabetes",
        "info diabetes.safetensors --json",
        "explain diabetes.safetensors diabetes --format json",
        "diagnose diabetes.safetensors diabetes",
    ),
    "breast_cancer": (
        "train breast_cancer --epochs 2 --seed 1 --optimizer adam --dropout 0.1 --validation 0.2 "
        "--engine numpy --output cancer.safetensors --config good.toml",
        "evaluate cancer.safetensors breast_cancer --json --bootstrap 0",
    ),
    "npz": (
        "train arrays.npz --epochs 3 --seed 2 --hidden 5 --optimizer rmsprop "
        "--output arrays.safetensors",
        "evaluate arrays.safetensors arrays.npz --json",
        "predict arrays.safetensors arrays.npz",
        "info arrays.safetensors",
        "train quantities.npz --epochs 3 --seed 2 --cost huber --output quantities.safetensors --quiet",
        "evaluate quantities.safetensors quantities.npz",
        "info quantities.safetensors --json",
    ),
    "customers": (
        "train customers.csv --target left --epochs 4 --seed 0 --hidden 8 --drop note "
        "--categorical shop --output customers.safetensors --log customers-log.csv",
        "info customers.safetensors",
        "info customers.safetensors --json",
        "evaluate customers.safetensors customers.csv",
        "evaluate customers.safetensors customers.parquet --json",
        "predict customers.safetensors others.csv",
        "explain customers.safetensors customers.csv --row 2",
        "explain customers.safetensors customers.csv --row 9 --format json",
        "diagnose customers.safetensors customers.csv --json",
    ),
    "customers, weights and groups": (
        "train customers.parquet --target left --epochs 3 --seed 0 --hidden 8 --weight weight "
        "--group week --class-weight balanced --output weighted.safetensors",
        "evaluate weighted.safetensors customers.csv --json",
        "train customers.csv --target left --epochs 3 --seed 0 --hidden none --time week "
        "--validation 0.3 --optimizer sgd --momentum 0.5 --output latest.safetensors --json",
    ),
    "bills": (
        "train bills.csv --target bill --epochs 4 --seed 0 --hidden 8 --numeric visits --threads 2 "
        "--output bills.safetensors",
        "info bills.safetensors",
        "info bills.safetensors --json",
        "evaluate bills.safetensors bills.csv --json",
        "predict bills.safetensors others.csv",
        "explain bills.safetensors bills.csv",
        "diagnose bills.safetensors bills.csv",
        "train bills.csv --target visits --cost poisson --task regression --epochs 2 --seed 0 "
        "--hidden 4 --columns age,spent --output visits.safetensors",
        "predict visits.safetensors bills.csv",
    ),
    "customers, through a buffer": (
        "train customers.csv --target left --epochs 3 --seed 0 --hidden 8 --buffer 40 "
        "--output streamed.safetensors",
        "evaluate streamed.safetensors customers.csv --json",
        "predict streamed.safetensors others.csv",
        "info streamed.safetensors --json",
        "train bills.csv --target bill --epochs 1 --seed 0 --hidden 8 --buffer 40 "
        "--checkpoint bills-c.safetensors --output streamed-bills.safetensors",
        "train bills.csv --target bill --epochs 3 --seed 0 --hidden 8 --buffer 40 --resume "
        "--checkpoint bills-c.safetensors --output streamed-bills.safetensors --json",
        "predict streamed-bills.safetensors others.csv",
    ),
    "numbers": (
        "train numbers.csv --epochs 3 --seed 0 --hidden 5 --output numbers.safetensors",
        "evaluate numbers.safetensors numbers.csv --json",
    ),
    "constant column": (
        "train constant.csv --epochs 3 --seed 0 --hidden 5 --output constant.safetensors",
        "predict constant.safetensors moved.csv",
    ),
}


def refused() -> dict[str, str]:
    """Return the commands that are refused, by what is wrong with them."""
    table = "train customers.csv --target left --epochs 1"
    return {
        "no such data": "train nothing.csv",
        "no such target": "train customers.csv --target nope",
        "no target told": "train others.csv",
        "no such command": "fly",
        "no such option": "train iris --wings 2",
        "epochs 0": "train iris --epochs 0",
        "epochs a word": "train iris --epochs many",
        "hidden a word": "train iris --hidden wide",
        "hidden 0": "train iris --hidden 5,0",
        "activation unknown": "train iris --activation sigmoidal",
        "optimizer unknown": "train iris --optimizer adamm",
        "cost for classes": "train iris --cost poisson",
        "dropout 1": "train iris --dropout 1",
        "engine unknown": "train iris --engine steam",
        "validation 1": f"{table} --validation 1.5",
        "time limit": "train iris --time-limit soon",
        "options of tables": "train iris --drop age",
        "output activation of a table": f"{table} --output-activation softmax",
        "group and time": f"{table} --group week --time week",
        "no such column": f"{table} --drop agee",
        "buffer 0": f"{table} --buffer 0",
        "class weight of a quantity": "train bills.csv --target bill --class-weight balanced",
        "words as a regression": f"{table} --task regression",
        "target with gaps": "train gaps.csv --seed 1",
        "target that does not vary": "train one-class.csv",
        "no rows": "train empty.csv",
        "a row too long": "train ragged.csv",
        "no table": "train text.txt",
        "NaN": "train nan.npz",
        "config": "train iris --config bad.toml",
        "resume without checkpoint": "train iris --resume",
        "no model": "evaluate nothing.safetensors iris",
        "broken model": "info broken.safetensors",
        "data of another width": "evaluate iris.safetensors digits",
        "no such part": "evaluate iris.safetensors iris --part half",
        "no such row": "explain iris.safetensors iris --row 999",
        "no such notation": "explain iris.safetensors iris --notation greek",
        "a column is missing": "predict customers.safetensors no-age.csv",
        "other settings on resume": "train digits --seed 0 --hidden 7 --resume "
        "--checkpoint digits-c.safetensors",
        "a folder is missing": "train iris --epochs 1 --output nowhere/iris.safetensors",
    }


def prepare() -> None:
    """Load what commands need, which must not start a thread; a command loads the rest of it."""
    import clearprop as cp
    from clearprop.cli import main

    for name in LIBRARIES:
        importlib.import_module(name)
    for name in cp.__all__:
        getattr(cp, name)
    heard = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(heard):
        main(["info", "nothing.safetensors"])
    Path("good.toml").write_text("hidden = '7'\nlearning-rate = 0.01\n")


def call(line: str) -> Found:
    """Run a command in a child of this process; return exit code, both outputs and what it wrote."""
    child = os.fork()
    if child == 0:
        _become(line)
    found: Found = {"exit code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}
    for name in ("stdout", "stderr"):
        found[name] = Path(f".{name}").read_text(encoding="utf-8")
    words = shlex.split(line)
    if "--json" in words or "json" in words:
        found["stdout"] = _json(found["stdout"])
    if "--log" in words:
        with Path(words[words.index("--log") + 1]).open() as file:
            found["log"] = list(csv.DictReader(file))
    if words[0] == "predict" and "--output" in words:
        found["written"] = Path(words[words.index("--output") + 1]).read_text(encoding="utf-8")
    return found


def _become(line: str) -> None:
    """Do in this process, which ends here, what the console script does."""
    code = 70
    try:
        for descriptor, name in ((1, ".stdout"), (2, ".stderr")):
            opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(opened, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["clearprop", *shlex.split(line)]
        from clearprop.cli import main

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def runs() -> Iterator[tuple[str, Callable[[], Found]]]:
    """Name each run, and what makes it; the refused ones use what others wrote."""
    for name, lines in COMMANDS.items():
        yield f"shell: {name}", lambda lines=lines: {line: call(line) for line in lines}
    yield "shell: refused", lambda: {name: call(line) for name, line in refused().items()}
