"""A real Chromium for the tests of pages: headless, without a network.

Where there is none, these tests are skipped and say so; in CI a missing browser is a failure.
"""

import os
import shutil

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium():
    """Return the path of Chromium, or None."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


def require():
    """Skip a module where there is no Chromium, and say so; in CI, let its tests fail."""
    if chromium() is None and not os.environ.get("CI"):
        pytest.skip("no chromium on PATH: pages are not tested in a browser", allow_module_level=True)


class Pages:
    """Opens pages in one browser, and keeps what goes wrong in them."""

    def __init__(self, browser, folder):
        self.browser, self.folder = browser, folder
        self.problems, self.requests, self._contexts = [], [], []

    def open(self, html, fragment="", width=1400, height=900, **how):
        """Return a page that shows the HTML from a file."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, **how)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and self.problems.append(m.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        path = self.folder / f"page-{len(self._contexts)}.html"
        path.write_text(html, "utf-8")
        page.goto(f"{path.as_uri()}{fragment}")
        return page

    def close(self):
        """Close every page, and say what went wrong in any."""
        for context in self._contexts:
            context.close()
        assert not self.problems
        # Each page asks for its own file, and for nothing else.
        outside = [url for url in self.requests if not url.startswith(("file:", "data:"))]
        assert not outside
        assert len([url for url in self.requests if url.startswith("file:")]) == len(self._contexts)
