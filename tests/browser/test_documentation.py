"""The documentation's site in a browser: it has a search, and works without a network."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from selenium import webdriver

from tests.browser.conftest import Requests, size
from tests.browser.pages import Site

ROOT = Path(__file__).parents[2]


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:
        """Logs nothing, so that the output of a failing test stays readable."""


@pytest.fixture
def documentation(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Site]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=tmp_path))
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    size(chromium, 1440, 900)
    chromium.get("about:blank")
    for log in ("browser", "performance"):
        chromium.get_log(log)
    yield Site(chromium, f"http://127.0.0.1:{server.server_port}")
    chromium.get("about:blank")
    server.shutdown()
    server.server_close()


def test_the_documentation_can_be_searched_without_requests_to_other_hosts(
    documentation: Site, requested_hosts: Requests
) -> None:
    documentation.browser.get(f"{documentation.address}/index.html")
    documentation.until(lambda: documentation.script("return document.querySelectorAll('.md-content img').length == 2"))
    documentation.press("/")
    documentation.until(lambda: documentation.script("return document.activeElement.name") == "query")
    documentation.press("lease")
    documentation.shows(".md-search-result", "A lease elects the clock")
    documentation.browser.get(f"{documentation.address}/architecture.html")
    documentation.until(lambda: documentation.script("return document.querySelector('.md-content img').naturalWidth"))

    assert requested_hosts() == {"127.0.0.1"}
    assert documentation.console() == []
