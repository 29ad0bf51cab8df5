"""The commands brought together, and the one place where the program ends."""

from __future__ import annotations

import keyword
import os
import signal
import sys
import warnings
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from clearprop.cli import errors, processes, terminal

# In the order of the help; each is the function of its name in the module of its name.
COMMANDS = (
    "train", "evaluate", "predict", "info", "check", "explain", "explore", "diagnose", "export",
    "import", "cv",
    "tune", "report", "serve", "worksheet", "grade",
)  # fmt: skip


def _print_version(wanted: bool) -> None:
    if wanted:
        from clearprop import __version__

        print(f"clearprop {__version__}")
        raise typer.Exit


def _clearprop(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, metavar="", help="Show the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", metavar="", help="Show the traceback of an error. Goes anywhere.")
    ] = False,
) -> None:
    """Train feed-forward neural networks by explicit backpropagation.

    DATA is a built-in set (digits, iris, wine, breast_cancer, diabetes, mnist),
    a file (.csv, .parquet, .jsonl, .npz), or a folder with four IDX files like MNIST's.
    """


def spelled(command: str) -> str:
    """Return the name of a command's function and file, which no keyword of Python can be."""
    return f"{command}_" if keyword.iskeyword(command) else command


def application(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the program with these commands: one that runs does not wait for the others."""
    app = typer.Typer(
        name="clearprop",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Begin with: clearprop train digits",
    )
    app.callback()(_clearprop)
    for name in commands:
        module = import_module(f"clearprop.cli.{spelled(name)}")
        app.command(name)(getattr(module, spelled(name)))
    return app


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_debug(given)
    given = given or ["--help"]
    terminal.prepare()
    warnings.showwarning = errors.show_warning
    _listen()
    try:
        processes.begin(given)
        app = application(given[:1] if given[0] in COMMANDS else COMMANDS)
        code = app(given, standalone_mode=False, prog_name="clearprop")
        code = code if isinstance(code, int) else 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as problem:
        processes.settle(problem)
        code = errors.tell(problem, debug)
    processes.end()
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
