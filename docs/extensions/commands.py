"""``{commands}``: the command line, as the program itself describes it."""

from __future__ import annotations

import re

import typer.main
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from clearprop.cli.app import application


def cell(text: str | None) -> str:
    """Return a help text as a cell of a table."""
    text = re.sub(r"\[/?[a-z ]+\]", "", text or "")  # rich's marks
    return " ".join(with_code(text.replace("|", r"\|")).split())


def with_code(text: str) -> str:
    """Return a help text with its options as code, where two dashes stay two."""
    return re.sub(r"(?<![\w`-])(--[a-z][a-z0-9-]*)", r"`\1`", text.replace("<", "&lt;"))


def described(name: str, command: object) -> list[str]:
    """Return the section of a command, in Markdown."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([name, *map(metavar, arguments)])
    told = (command.help or "").strip()
    lines = [
        f"## clearprop {name}",
        "",
        "```sh",
        f"clearprop {usage} [OPTIONS]",
        "```",
        "",
        *prose(told),
    ]
    if arguments:
        lines += ["", "| Argument | What it is |", "|---|---|"]
        lines += [f"| `{metavar(each)}` | {cell(each.help)} |" for each in arguments]
    lines += ["", "| Option | What it does |", "|---|---|"]
    lines += [f"| {spelling(each)} | {cell(each.help)} |" for each in options]
    return [*lines, ""]


def prose(text: str) -> list[str]:
    """Return a help text as Markdown; what it gives as an example is code."""
    lines = []
    for paragraph in text.split("\n\n"):
        words = " ".join(paragraph.replace("\b", "").split())
        example = re.fullmatch(r"(Examples?:) (clearprop .*)", words)
        shown = [example[1], "", "```sh", example[2], "```"] if example else [with_code(words)]
        lines += [*shown, ""]
    return lines


def metavar(parameter: object) -> str:
    """Return how an argument is written in the usage."""
    name = (parameter.metavar or parameter.name.upper()).strip("[]")
    return name if parameter.required else f"[{name}]"


def spelling(parameter: object) -> str:
    """Return the ways to write an option."""
    names = ", ".join(f"`{each}`" for each in [*parameter.opts, *parameter.secondary_opts])
    value = (parameter.metavar or "").replace("|", r"\|")  # between which cells of a table end
    return f"{names} `{value}`" if value else names


class Commands(SphinxDirective):
    """The sections of all commands."""

    def run(self) -> list[nodes.Node]:
        """Return what the directive becomes."""
        group = typer.main.get_command(application())
        lines = []
        for name in group.commands:
            lines += described(name, group.commands[name])
        return self.parse_content_to_nodes(lines)

    def parse_content_to_nodes(self, lines: list[str]) -> list[nodes.Node]:
        """Return Markdown's lines as nodes, with sections."""
        holder = nodes.section()
        holder.document = self.state.document
        self.state.nested_parse(StringList(lines), 0, holder, match_titles=True)
        return holder.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
