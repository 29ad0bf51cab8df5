"""The arguments and options that several commands have, each declared once."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import typer

from clearprop.cli import standard_input


class Part(enum.StrEnum):
    """Which part of the data."""

    train = "train"
    test = "test"
    all = "all"


def option(*names: str, metavar: str, text: str, default: object = "", panel: str | None = None) -> Any:
    """Return the declaration of an option.

    Parameters
    ----------
    *names : str
        As on the command line; without any, that of the parameter.
    metavar : str
        What stands for its value in the help, "" for a switch, which has none.
    text : str
        One short sentence.
    default : object
        What is taken where nothing is said; the help has it in parentheses.
    panel : str, optional
        Under which heading the help has it.
    """
    told = text if default == "" else f"{text.removesuffix('.')} ({default})."
    return typer.Option(*names, metavar=metavar, help=told, show_default=False, rich_help_panel=panel)


def target(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --target."""
    return option(
        metavar="NAME", text="Column of a table that holds the target.", default=default, panel=panel
    )


def target_gaps(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --target-gaps."""
    text = "Rows of a table or NPZ file without a target: drop leaves them out, refuse ends."
    return option(metavar="HOW", text=text, default=default, panel=panel)


def delimiter(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --delimiter."""
    text = "Between the fields of a table: , ; | or tab."
    return option(metavar="CHAR", text=text, default=default, panel=panel)


def decimal(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --decimal."""
    text = "Decimal sign of a table: . or ,"
    return option(metavar="CHAR", text=text, default=default, panel=panel)


def encoding(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --encoding."""
    return option(metavar="NAME", text="Encoding of a table's text.", default=default, panel=panel)


def skip_lines(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --skip-lines."""
    return option(metavar="N", text="Lines above the names of a table.", default=default, panel=panel)


def comment(default: str, panel: str | None = None) -> Any:
    """Return the declaration of --comment."""
    text = "What lines of a table begin with that are no rows, such as #."
    return option(metavar="MARK", text=text, default=default, panel=panel)


DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A built-in set, a file or a folder; - is standard input.",
        callback=standard_input.as_file,
    ),
]
FilesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="A built-in set, a file, a folder, or several files that are one table; - is standard "
        "input.",
        callback=standard_input.as_files,
    ),
]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="A model file or checkpoint.")]


def port(panel: str | None = None) -> Any:
    """Return the declaration of the port of a page that is served."""
    text = "Of the page's address, which then stays the same from run to run."
    return option(metavar="N", text=text, default="one that is free", panel=panel)


def one_or_more(data: list[str]) -> str | list[str]:
    """Return what DATA names: a set, file or folder, or the files of one table."""
    return data[0] if len(data) == 1 else data


PartOption = Annotated[
    Part,
    option(metavar="NAME", text="train, test or all: part of a set that has parts", default="test"),
]
PortOption = Annotated[int | None, port()]
JsonOption = Annotated[bool, option("--json", metavar="", text="Print one JSON object.")]
MemberOption = Annotated[
    int | None, option(metavar="K", text="Which of a model's members, counted from 0.")
]
TargetOption = Annotated[str | None, target("the one the model learned")]
GapsOption = Annotated[str, target_gaps("drop")]
DelimiterOption = Annotated[str | None, delimiter("as in training, or told by the file")]
DecimalOption = Annotated[str | None, decimal("as in training")]
SkipLinesOption = Annotated[int | None, skip_lines("as in training")]
CommentOption = Annotated[str | None, comment("as in training")]
EncodingOption = Annotated[str | None, encoding("as in training")]
