"""What went wrong, in one sentence on standard error, and the exit code that goes with it."""

from __future__ import annotations

import contextlib
import errno
import re
import sys
import traceback
from typing import Any, NoReturn, TextIO

from clearprop.cli import standard_input
from clearprop.cli.terminal import plain
from clearprop.data.remote import without_keys
from clearprop.names import absent

FAILED, MISTAKE, INTERRUPTED, TERMINATED = 1, 2, 130, 143

# What the library calls an argument is an option here.
_OPTIONS = {
    "output": "--output-activation",
    "n_threads": "--threads",
    "n_batches": "--batches",
    "fraction": "--validation",
    "source": "DATA",
    "hidden_layer_sizes": "--hidden",
    "solver": "--optimizer",
    "alpha": "--l2",
    "learning_rate_init": "--learning-rate",
    "max_iter": "--epochs",
    "augment": "--deform",
    "random_state": "--seed",
}
_SAME = (
    "activation algorithm batch_size calibrate checkpoint checkpoint_every cost digits dropout "
    "embedding engine epochs fast_sum folds form gradient l1 l2 learning_rate members running_every "
    "momentum notation optimizer patience port repeats running_window seed shards stall_timeout "
    "storage target target_gaps task threshold time_limit trace trials blanks rows students "
    "delimiter decimal encoding skip_lines comment"
)
_OPTIONS |= {name: "--" + name.replace("_", "-") for name in _SAME.split()}
# What the library says in its own words in the middle of a sentence.
_PHRASES = {
    ": the target must be one of ": ": --target must be one of ",
    ": drop must be among ": ": --drop must be among ",
    ": columns must be among ": ": --columns must be among ",
    ": skip_lines=": ": --skip-lines ",
    ": give the names": ": --names gives the names",
    ", and skip_lines=": ", and --skip-lines ",
    "which cannot be learned from: drop it": "which cannot be learned from: --drop leaves it out",
    "(say that it is missing, or that the column is categorical or dropped)": (
        "(--missing, --categorical or --drop says what it is)"
    ),
    "(say that it is missing, or that the task is classification)": (
        "(--missing says that such rows have no target, --task classification that it is a class)"
    ),
    "(target_gaps='drop' leaves such rows out)": "(--target-gaps drop leaves such rows out)",
    "drop must not hold the ": "--drop must not hold the ",
    "the stream's buffer_rows": "--buffer",
    "with a stream, whose buffer holds batches of one size": (
        "with --buffer, or a table that is trained on from disk: their batches are of one size"
    ),
    "; use batch_size": "; use --batch-size",
    "; start fewer, or give shards=": "; start fewer, or give --shards ",
    ", in Python decimal='.' or ','": "",
    "; in Python options=ReadOptions(decimal=',') reads commas": "",
    "decimal and delimiter must be two ": "--decimal and --delimiter must be two ",
}
for _kind in ("categorical", "numeric", "day-first", "month-first", "year-first"):
    _PHRASES |= {
        f": the {_kind} columns must be among ": f": --{_kind} must be among ",
        f"the {_kind} columns must not hold the ": f"--{_kind} must not hold the ",
        f"drop and {_kind} must be ": f"--drop and --{_kind} must be ",
        f"categorical and {_kind} must be ": f"--categorical and --{_kind} must be ",
    }
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)

# How the loader of libraries and the interpreter say that a thread, or a library, found no memory.
_NO_MEMORY = ("failed to map segment", "annot allocate memory", "can't start new thread")


class Terminated(BaseException):
    """SIGTERM was received."""


def terminate(number: int, frame: Any) -> NoReturn:
    """Handle a signal by raising `Terminated`."""
    raise Terminated


def _is_usage(problem: BaseException) -> bool:
    # typer raises click's exceptions, or those of its own copy of click, by version
    return hasattr(problem, "format_message") and hasattr(problem, "exit_code")


def tell(problem: BaseException, debug: bool = False) -> int:
    """Say what the problem is, where there is anything to say, and return the exit code.

    With `debug` its traceback comes first.
    """
    if isinstance(problem, SystemExit) and isinstance(problem.__context__, BrokenPipeError):
        problem = problem.__context__  # typer has made 1 of it
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) else FAILED
    if isinstance(problem, Terminated):
        return TERMINATED
    if isinstance(problem, KeyboardInterrupt) or type(problem).__name__ == "Abort":
        return INTERRUPTED
    if isinstance(problem, BrokenPipeError):  # whoever read the results has read enough
        return 0
    if debug:
        traceback.print_exception(problem)
    say(sentence(problem))
    return exit_code(problem)


def say(sentence: str) -> None:
    """Print a sentence on standard error, if anybody is there."""
    with contextlib.suppress(OSError, ValueError):
        print(
            f"clearprop: {plain(without_keys(standard_input.said(sentence)))}",
            file=sys.stderr,
            flush=True,
        )


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as a sentence: users have no use for the line that raised it."""
    say(f"warning: {in_options(str(message))}")


def in_options(sentence: str) -> str:
    """Return a library's sentence with the option that its argument has here."""
    sentence = re.sub(
        r"^The '(\w+)' parameter of \w+ must be (.*)\. Got (.*) instead\.$",
        r"\1 must be \2, got \3",
        sentence,
    )
    sentence = re.sub(
        r"must be (None or )?an int in the range \[(\d+), inf\)", r"must be at least \2", sentence
    )
    name = re.match(r"(\w+)(?:=(\S+))?(?= (?:must|cannot|needs|\d|'))", sentence)
    if name and name[1] in _OPTIONS:
        value = "" if name[2] in (None, "True") else " " + name[2].strip("'")
        sentence = _OPTIONS[name[1]] + value + sentence[name.end() :]
    for phrase, said in _PHRASES.items():
        sentence = sentence.replace(phrase, said)
    return sentence


def sentence(problem: BaseException) -> str:
    """Return what is said of a problem."""
    if isinstance(problem, KeyboardInterrupt | Terminated):
        return "interrupted"
    if _is_usage(problem):
        return _usage(problem)
    if _lacks_memory(problem):
        detail = " ".join(str(problem).split()) if isinstance(problem, MemoryError) else ""
        return f"there is not enough memory{detail and f' ({detail})'}"
    if isinstance(problem, FileNotFoundError) and problem.filename is not None:
        return absent(_name(problem.filename))
    if isinstance(problem, OSError) and problem.strerror:
        where = problem.filename
        return f"{_name(where)}: {problem.strerror}" if where is not None else problem.strerror
    if isinstance(problem, ValueError | TypeError | OSError) or _is_said(problem):
        return in_options(" ".join(str(problem).split()))
    return (
        f"this should not have happened: {type(problem).__name__}: {problem} "
        "(--debug shows where; please report it)"
    )


def _is_said(problem: BaseException) -> bool:
    """Return whether a problem has a sentence of the library's: an extra is missing, another rank's."""
    missing = isinstance(problem, ImportError) and problem.name is None
    return missing or type(problem).__name__ == "OtherRankError"


def _lacks_memory(problem: BaseException | None) -> bool:
    """Return whether a problem, or what it came of, is that the system gives no more memory."""
    while problem is not None:
        text = str(problem)
        if isinstance(problem, MemoryError) or getattr(problem, "errno", None) == errno.ENOMEM:
            return True
        if isinstance(problem, ImportError | OSError | RuntimeError) and any(
            said in text for said in _NO_MEMORY
        ):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _name(path: Any) -> str:
    return path if isinstance(path, str) else repr(path)


def _usage(problem: Any) -> str:
    text = " ".join(problem.format_message().split())
    text = re.sub(r"^Invalid value for '([^']+)'(?: / '[^']+')*: ", r"\1: ", text)
    text = text.replace("Value error, ", "").replace("Input should be", "must be")
    text = re.sub(r", unable to parse.*", _got(problem), text)
    context = getattr(problem, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return text[:1].lower() + text[1:].rstrip(".") + hint


def _got(problem: Any) -> str:
    """Return the value that was refused, where typer has it from pydantic, for a message."""
    for cause in (problem.__cause__, problem.__context__):
        if hasattr(cause, "errors"):
            return f", got {cause.errors()[0]['input']!r}"
    return ""


def exit_code(problem: BaseException) -> int:
    """Return the exit code of a problem."""
    if isinstance(problem, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(problem, Terminated):
        return TERMINATED
    from clearprop.training import DivergenceError

    if _is_usage(problem):
        return MISTAKE
    if isinstance(problem, DivergenceError):
        return FAILED
    if (isinstance(problem, OSError) and problem.errno in _DISK) or _lacks_memory(problem):
        return FAILED
    is_mistake = isinstance(problem, ValueError | TypeError | OSError) or _is_said(problem)
    return MISTAKE if is_mistake else FAILED
