"""A section's list of links is its table of contents, and links lead where they do on a code host.

A page says what it links to as files beside it. Here that becomes what the site has: another page, a
page of the source (``source:``, see `sources`), a picture. Pages that lie outside of ``docs`` stand in
for a page of ours that has nothing but a title and a link to them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
TOP = (
    "tutorials/index",
    "how-to/index",
    "explanation/index",
    "reference/index",
    "gallery/index",
    "benchmarks",
    "project",
)
SECTIONS = ("index", *TOP, "decisions/README", "notebooks/README")
BENCHMARKS = ROOT / "benchmarks"
GALLERY = ROOT / "examples" / "gallery"
# Pages made of files that lie elsewhere; those of results are named here for Sphinx to find.
STANDS_FOR = {
    "changelog": ROOT / "CHANGELOG.md",
    "contributing": ROOT / "CONTRIBUTING.md",
    "security": ROOT / "SECURITY.md",
    "results/how": BENCHMARKS / "README.md",
} | {
    "results/" + "-".join(path.relative_to(BENCHMARKS / "results").with_suffix("").parts): path
    for path in sorted(BENCHMARKS.glob("results/**/*.md"))
}
FOLDERS = {
    DOCS / "decisions": "decisions/README",
    DOCS / "notebooks": "notebooks/README",
    GALLERY: "gallery/index",
    BENCHMARKS / "results": "benchmarks",
    BENCHMARKS: "benchmarks",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,}).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
OUTSIDE = ("http:", "https:", "mailto:", "#", "source:")


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Return the text with a change made to what is no block of code."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def page_of(path: Path) -> str | None:
    """Return the name of the page that shows a file or a folder, or None."""
    for name, file in STANDS_FOR.items():
        if path == file:
            return name
    if path == ROOT / "README.md":
        return "index"
    if path.is_dir():
        return FOLDERS.get(path)
    if path.parent == GALLERY and path.suffix == ".py":
        return f"gallery/{path.stem}"
    if path.is_relative_to(DOCS) and path.suffix in (".md", ".ipynb", ".rst"):
        return path.relative_to(DOCS).with_suffix("").as_posix()
    return None


def rebased(text: str, base: Path, docname: str) -> str:
    """Return Markdown of a file in the folder `base` with the links that its page must have."""
    here = (DOCS / docname).parent

    def link(found: re.Match[str]) -> str:
        bang, words, target = found.groups()
        if target.startswith(OUTSIDE):
            return found[0]
        words = words if bang else LINK.sub(link, words)
        file, mark, anchor = target.partition("#")
        path = Path(os.path.normpath(base / file))
        page = None if bang else page_of(path)
        if page is not None:
            there = os.path.relpath(DOCS / page, here)
            suffix = next(
                (s for s in (".md", ".ipynb", ".rst") if (DOCS / f"{page}{s}").exists()), ".md"
            )
            return f"[{words}]({there}{suffix}{mark}{anchor})"
        if bang or path.is_relative_to(DOCS):
            return f"{bang}[{words}]({os.path.relpath(path, here)})"
        return f"[{words}](source:{path.relative_to(ROOT).as_posix()})"

    return outside_fences(text, lambda part: LINK.sub(link, part))


def listed(text: str, docname: str) -> list[str]:
    """Return the pages that a section's page links to, each once, in their order."""
    here = (DOCS / docname).parent
    names = []
    for _, _, target in LINK.findall(FENCE.sub("", text)):
        path = Path(os.path.normpath(here / target.partition("#")[0]))
        if target.startswith(OUTSIDE) or not path.exists() or (page := page_of(path)) is None:
            continue
        names += [page] if page not in (*names, docname) else []
    return names


def contents(docname: str, text: str, found: set[str]) -> list[str]:
    """Return what hangs below a section's page."""
    if docname == "index":
        return list(TOP)
    names = listed(text, docname)
    if docname == "benchmarks":
        names += [name for name in STANDS_FOR if name.startswith("results/") and name not in names]
    if docname == "how-to/index":  # whatever no other section has
        elsewhere = {*SECTIONS, *STANDS_FOR}
        for name in SECTIONS[1:]:
            page = DOCS / f"{name}.md"
            elsewhere |= set(listed(page.read_text("utf-8"), name)) if page.exists() else set()
        folders = ("gallery/", "results/", "decisions/", "reference/")
        names += sorted(n for n in found - elsewhere - set(names) if not n.startswith(folders))
    return [name for name in names if name in found and name not in ("index", *TOP)]


def title(name: str) -> str | None:
    """Return what a page of results is called here; seven of them have one and the same title."""
    if (run := re.search(r"run-(.*)", name)) is not None:
        without = " without AVX-512" if "avx2" in name else ""
        return f"Beside its peers{without}: {run[1].replace('-', ', ')}"
    return {
        "results/how": "How it is measured",
        "results/rows-faults": "Planted faults: rows apart",
    }.get(name)


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make of a page's text what the site shows."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".md":
        return
    elsewhere = STANDS_FOR.get(docname)
    if elsewhere is not None:
        app.env.note_dependency(str(elsewhere))
        text = elsewhere.read_text("utf-8")
        if (called := title(docname)) is not None:
            text = re.sub(r"\A# .*", f"# {called}", text)
        source[0] = rebased(text, elsewhere.parent, docname)
        return
    text = source[0]
    source[0] = rebased(text, path.parent, docname)
    if docname in SECTIONS:
        names = contents(docname, text, set(app.env.found_docs))
        below = "\n".join(f"/{name}" for name in names)
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{below}\n```\n"


def name_results(app: Sphinx, config: object) -> None:
    """Write a page for each file of results: a title, which `read` replaces."""
    for old in (DOCS / "results").glob("*.md"):
        if f"results/{old.stem}" not in STANDS_FOR:  # of results that have another name by now
            old.unlink()
    for name in STANDS_FOR:
        if name.startswith("results/"):
            page = DOCS / f"{name}.md"
            page.parent.mkdir(exist_ok=True)
            page.write_text(f"# {name}\n", "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("config-inited", name_results)
    app.connect("source-read", read)
    # A page that is new is in the contents of a section that has not changed.
    app.connect("env-get-outdated", lambda *_: [name for name in SECTIONS if name in app.env.all_docs])
    return {"parallel_read_safe": True}
