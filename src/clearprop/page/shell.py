"""The document around a page: style, data and script inline, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
import re
from collections.abc import Sequence

from clearprop.page.markup import Markup, joined, tag

# What would end a script element, or a line of JavaScript in old readers.
_IN_SCRIPT = {each: f"\\u{ord(each):04x}" for each in ("<", ">", "&", "\u2028", "\u2029")}
_IMPORT = re.compile(r"^import\b[^;]*;\n", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
_SPACE = re.compile(r";?\s*(})\s*|\s*([{;,>])\s*|(?<=:)\s+|(?<=[\s:(])0(?=\.\d)")
_EXPORTED = re.compile(r"^export (?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
_TOP = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (.*)", re.MULTILINE)
_INSIDE = re.compile(r"\s//.*|\"[^\"]*\"|\[[^][(){}]*\]|\([^][(){}]*\)|\{[^][(){}]*\}")
_DECLARED = re.compile(r"(?:^|, )(\w+)(?=\W|$)")
_REMARK = re.compile(r"(?:^|\s)\s*//(?:\s(?!BP\d$).*)?$")  # an equation's tag stays
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def json_text(value: object) -> str:
    """Return JSON that can stand in a script element: nothing in it can end that."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, written in _IN_SCRIPT.items():
        text = text.replace(character, written)
    return text


def module(package: str, names: Sequence[str], before: str = "") -> str:
    """Return ES modules of a package as one classic script, in the order given.

    Imports from ``file://`` are refused by browsers, so the modules' ``import`` and ``export`` are
    taken off and all of them stand in one function: two with one top-level name are refused. Remarks
    that begin with //, and indentation, are left out: a template that spans lines would lose it as
    well. What `before` holds, a `library`, stands in that function too, and what all pages share:
    ``numbers.js``, which shows numbers, and ``answers.js``, which judges those that are filled in.
    """
    folder = importlib.resources.files(package)
    shared = [_shared("numbers.js"), _shared("answers.js")]
    texts = [*shared, *(folder.joinpath(name).read_text("utf-8") for name in names)]
    return f'(() => {{\n"use strict";\n{before}{_together(texts)}\n}})();\n'


def library(name: str, texts: Sequence[str]) -> str:
    """Return ES modules as a script that defines one object, with what they export."""
    exported = ", ".join(each for text in texts for each in _EXPORTED.findall(text))
    inside = _together(texts)
    return f'const {name} = (() => {{\n"use strict";\n{inside}\nreturn {{ {exported} }};\n}})();\n'


def _shared(name: str) -> str:
    return importlib.resources.files("clearprop.page").joinpath(name).read_text("utf-8")


def _declared(line: str) -> list[str]:
    """Return the names that a line declares: of ``a = f(x, y), b = 2`` a and b."""
    while line != (line := _INSIDE.sub("", line)):
        pass
    return _DECLARED.findall(line.partition("=>")[0])


def _together(texts: Sequence[str]) -> str:
    names = [each for text in texts for line in _TOP.findall(text) for each in _declared(line)]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise ValueError(f"modules that stand together must not both have {', '.join(twice)}")
    parts = []
    for text in texts:
        lines = _EXPORT.sub("", _IMPORT.sub("", text)).splitlines()
        parts += [kept for line in lines if (kept := _REMARK.sub("", line).strip())]
    return "\n".join(parts)


def document(
    title: str,
    body: Markup,
    *,
    style: str = "",
    script: str = "",
    data: object = None,
    description: str = "",
    served: bool = False,
) -> str:
    """Return a whole HTML document that needs nothing but itself.

    Parameters
    ----------
    title, description : str
        Any text; escaped.
    body : Markup
        What reads without the script.
    style : str
        CSS, after the style that all pages share.
    script : str
        JavaScript, run when the body is there; it finds the class ``js`` on the root element.
    data : object, optional
        What JSON can write, put into ``script#data``.
    served : bool
        Whether its script may ask the server that it comes from, and nobody else.

    Returns
    -------
    str
        The same bytes for the same arguments.
    """
    both = _COMMENT.sub("", _shared("page.css") + style)
    css = "\n" + _SPACE.sub(lambda found: found[1] or found[2] or "", both)
    if "</" in css or "</script" in script.lower() or "<!--" in script:
        raise ValueError("style and script must not hold what ends their elements")
    policy = (
        f"default-src 'none'; style-src {_hash(css)}; "
        f"script-src {_hash(script) if script else chr(39) + 'none' + chr(39)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    if served:
        policy += "; connect-src 'self'"
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="clearprop"),
        tag("title", title),
        *([tag("meta", name="description", content=description)] if description else []),
        *([tag("link", rel="icon", href="data:,")] if served else []),  # which would be asked for
        Markup(f"<style>{css}</style>"),
    ]
    end = []
    if data is not None:
        end.append(Markup(f'<script type="application/json" id="data">{json_text(data)}</script>'))
    if script:
        end.append(Markup(f"<script>{script}</script>"))
    lines = [
        Markup("<!DOCTYPE html>"),
        Markup('<html lang="en">'),
        tag("head", joined(["", *head, ""], "\n")),
        tag("body", joined(["", body, *end, ""], "\n")),
        Markup("</html>"),
    ]
    return "\n".join(lines) + "\n"
