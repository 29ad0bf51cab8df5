"""The commands brought together, and the one place where the program ends."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from clearprop.cli import apply, check, diagnose, errors, evaluate, explain, inspect, terminal, train

app = typer.Typer(
    name="clearprop",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: clearprop train digits",
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(apply.predict)
app.command("info")(inspect.info)
app.command("check")(check.check)
app.command("explain")(explain.explain)
app.command("diagnose")(diagnose.diagnose)


def _print_version(wanted: bool) -> None:
    if wanted:
        from clearprop import __version__

        print(f"clearprop {__version__}")
        raise typer.Exit


@app.callback()
def clearprop(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error. Goes anywhere.")
    ] = False,
) -> None:
    """Train feed-forward neural networks by explicit backpropagation.

    DATA is a built-in set (digits, iris, wine, breast_cancer, diabetes, mnist),
    a file (.csv, .parquet, .npz), or a folder with four IDX files like MNIST's.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_debug(given)
    given = given or ["--help"]
    terminal.prepare()
    warnings.showwarning = errors.show_warning
    _listen()
    try:
        code = app(given, standalone_mode=False, prog_name="clearprop")
        code = code if isinstance(code, int) else 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as problem:
        code = errors.tell(problem, debug)
    terminal.let_go()
    sys.exit(code)


def _take_debug(arguments: list[str]) -> bool:
    """Take ``--debug`` out of the options, wherever among them it stands."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" not in arguments[:end]:
        return False
    arguments[:end] = [each for each in arguments[:end] if each != "--debug"]
    return True


def _listen() -> None:
    """Turn SIGTERM, and SIGHUP (the terminal is gone), into an exception, unless they are ignored."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        signal.signal(number, errors.terminate if name == "SIGTERM" else _pass_on)


def _pass_on(number: int, frame: object) -> None:
    # A training listens for SIGTERM: it ends its step and writes its checkpoint.
    os.kill(os.getpid(), signal.SIGTERM)
