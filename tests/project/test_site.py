"""The site that ``make docs`` built, as a reader has it: a folder, opened without a server.

``make test-slow`` builds it first. What needs no building is tested in the default suite.
"""

import re
import tomllib
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import browser
import clearprop as cp

ROOT = Path(__file__).parents[2]
DOCS, SITE = ROOT / "docs", ROOT / "build" / "site"
MOST_BYTES = 1_000_000
PAGES = """
index lessons tutorials/index how-to/index explanation/index reference/python reference/commands benchmarks
tables reference/api/clearprop.Network gallery/index why-does-my-network-learn-slowly tutorials/first-network
""".split()


def test_the_reference_has_every_public_name_and_no_other():
    text = (DOCS / "reference" / "python.md").read_text("utf-8")
    blocks = re.findall(r"currentmodule:: (\S+)\n.*?:nosignatures:\n\n(.*?)```", text, re.DOTALL)
    named = {f"{module}.{name}" for module, names in blocks for name in names.split()}
    modules = {"costs", "data", "embeddings", "initializers", "metrics", "notation", "schedules"}
    public = {f"clearprop.{name}" for name in set(cp.__all__) - modules}
    tables = {"activations", *modules}
    assert public <= named, f"docs/reference/python.md lacks {sorted(public - named)}"
    assert {name.split(".")[1] for name in named - public} <= tables
    assert {f"clearprop.costs.{name}" for name in cp.costs.COSTS} <= named
    assert {f"clearprop.schedules.{name}" for name in cp.schedules.SCHEDULES} <= named
    assert {f"clearprop.initializers.{name}" for name in cp.initializers.INITIALIZERS} <= named
    assert {f"clearprop.metrics.{name}" for name in cp.metrics.METRICS} <= named
    assert {f"clearprop.data.{name}" for name in set(cp.data.__all__) - {"BUILT_IN"}} <= named


def test_no_page_names_an_address_that_the_project_does_not_have():
    """What depends on where it is published comes from [project.urls] alone."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        published = tomllib.load(file)["project"].get("urls", {})
    ours = re.compile(r"https?://[^\s)\"'>]*clearprop[^\s)\"'>]*", re.IGNORECASE)
    pages = [
        *DOCS.glob("**/*.md"),
        DOCS / "conf.py",
        *(ROOT / ".github").glob("**/*.yml"),
        ROOT / "README.md",
    ]
    found = {url for page in pages for url in ours.findall(page.read_text("utf-8"))}
    assert all(url.startswith(tuple(published.values()) or ("nowhere",)) for url in found), found


class Page(HTMLParser):
    """The links of a page, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        self.links += [given[key] for key in ("href", "src") if given.get(key) and tag != "base"]


def pages_of(site):
    """Return the pages of the site; the live page has tests of its own."""
    return [
        path
        for path in site.rglob("*.html")
        if path.relative_to(site).parts[0] not in ("_static", "live")
    ]


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        pytest.skip("build/site is not there: make docs builds it, and make test-slow does that first")
    return SITE


@pytest.mark.slow
def test_every_link_of_the_site_leads_to_a_file_and_a_place_in_it(site):
    pages = {path: Page(path) for path in pages_of(site)}
    assert len(pages) > 100
    broken = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link) or link == "#":
                continue
            address, anchor = urldefrag(link)
            target = (path.parent / unquote(address.partition("?")[0])).resolve() if address else path
            there = target in pages and (not anchor or unquote(anchor) in pages[target].anchors)
            if not (there or (target not in pages and target.exists())):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.slow
def test_pages_fetch_nothing_from_elsewhere_and_no_page_is_heavy(site):
    for path in pages_of(site):
        text = path.read_text("utf-8")
        loaded = re.findall(
            r"<(?:script|img|source)[^>]*\ssrc=\"([^\"]+)\"|<link[^>]*\shref=\"([^\"]+)\"", text
        )
        loaded = {one or other for one, other in loaded}
        outside = [url for url in loaded if re.match(r"(https?:)?//", url)]
        assert outside == [], path
        files = [
            (path.parent / unquote(url.partition("?")[0])).resolve()
            for url in loaded
            if not url.startswith("data:")
        ]
        weight = path.stat().st_size + sum(
            file.stat().st_size for file in files if file.is_file() and file.suffix != ".html"
        )
        assert weight < MOST_BYTES, f"{path.relative_to(site)} weighs {weight:,} bytes"


@pytest.mark.slow
def test_the_page_of_commands_says_what_every_option_does(site):
    import typer.main

    from clearprop.cli.app import application

    text = re.sub(r"<[^>]+>", "", (site / "reference/commands.html").read_text("utf-8"))
    plain = unescape(text).translate(str.maketrans({"’": "'", "“": '"', "”": '"', "…": "..."}))
    shown = " ".join(plain.split())
    for name, command in typer.main.get_command(application()).commands.items():
        for each in command.params:
            said = " ".join(re.sub(r"\[/?[a-z ]+\]", "", each.help or "").split())
            assert said in shown, f"{name} {each.opts}: {said}"


@pytest.mark.slow
def test_no_page_shows_a_warning_or_the_folder_where_it_was_built(site):
    shown = re.compile(rf"{re.escape(str(ROOT))}|\.py:\d+: \w*Warning: ")
    found = {path.name for path in pages_of(site) if shown.search(path.read_text("utf-8"))}
    assert found == set()


@pytest.fixture(scope="module")
def chromium(site, request):
    browser.require()
    pytest.importorskip("playwright.sync_api")
    return request.getfixturevalue("_browser")  # a process can start no second Playwright beside it


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages(site, chromium, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = chromium.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    said = {}
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        found = Axe().run(page, context={"exclude": [["iframe"]]}).response["violations"]
        if found:
            said[name] = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found]
    page.close()
    assert said == {}


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1400])
def test_no_page_is_wider_than_its_window(site, chromium, width):
    page = chromium.new_page(viewport={"width": width, "height": 800})
    wide = []
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
    page.close()
    assert wide == []


@pytest.mark.slow
def test_a_search_finds_and_the_live_page_answers_without_a_server(site, chromium):
    page = chromium.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{(site / 'search.html').as_uri()}?q=check_gradient")
    page.wait_for_selector("ul.search li a")
    found = page.eval_on_selector_all(
        "ul.search li a", "all => all.map(each => each.getAttribute('href'))"
    )
    assert any("clearprop.check_gradient" in href for href in found)
    page.goto((site / "lessons.html").as_uri())
    page.wait_for_selector("iframe.live")
    frame = page.frame_locator("iframe.live")
    frame.locator("html[data-ready]").wait_for(state="attached")
    assert frame.locator("#lesson").count() == 1
    page.close()
    assert all(url.startswith(("file:", "data:")) for url in asked)
