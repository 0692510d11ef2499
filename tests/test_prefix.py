"""Below a path prefix, behind a proxy that strips it and behind one that passes it on."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from app import create_app
from layouts import ids
from services.actions.alerts import StoreAlertService
from services.market.errors import TrackerError
from services.settings import BadSettings, read_settings
from services.store.database.engine import open_engine
from tests import builders
from tests.fakes import FakeReader, fake_dependencies
from tests.proxy import proxied
from tests.served import served

PREFIX = "/tracker/"
PAGES = ("", "metric/1", "compare?ids=1,2", "alerting", "alerting?tab=rules", "alerting?tab=deliveries", "status", "no")


@dataclass
class Site:
    origin: str

    def get(self, address: str, **more: Any) -> requests.Response:
        """The response at an address from a page or from another response."""
        answer = requests.get(urljoin(self.origin + PREFIX, address), timeout=60, **more)
        assert urlsplit(answer.url).path.startswith(PREFIX.rstrip("/"))
        return answer


@pytest.fixture(params=["taken off", "passed on"])
def site(request: pytest.FixtureRequest, migrated_sqlite_url: str) -> Iterator[Site]:
    engine = open_engine(migrated_sqlite_url)
    metrics = tuple(builders.ranked_metric(number, base=f"C{number}") for number in range(1, 6))
    reader = FakeReader(metrics=metrics, price_series={1: builders.series([1.0] * 60)})
    app = create_app(fake_dependencies(reader, alert_service=StoreAlertService(engine, ())), prefix=PREFIX)
    with served(app.server) as server, proxied(server.port, PREFIX, strips=request.param == "taken off") as origin:
        yield Site(origin)
    engine.dispose()


def addresses_in(value: object) -> Iterator[str]:
    """All links in components, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("href"), str):
            yield value["href"]
        for part in value.values():
            yield from addresses_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from addresses_in(part)


def same(text: str) -> str:
    """A page without the token that Dash puts into each response."""
    return re.sub(r'"end_id":"[^"]+"', "", text)


def page(site: Site, path: str) -> dict[str, Any]:
    """The response to the dashboard's request for a page."""
    where = urlsplit(path)
    outputs = [(ids.PAGE, "children"), (ids.TITLE, "data"), (ids.RETRY, "disabled")]
    view = {"path": "/" + where.path, "search": f"?{where.query}" if where.query else "", "zone": "UTC", "retries": 0}
    asked = {
        "output": f"..{'...'.join(f'{name}.{what}' for name, what in outputs)}..",
        "outputs": [{"id": name, "property": what} for name, what in outputs],
        "inputs": [{"id": ids.VIEW, "property": "data", "value": view}],
        "changedPropIds": [f"{ids.VIEW}.data"],
    }
    answer = requests.post(f"{site.origin}{PREFIX}_dash-update-component", json=asked, timeout=60)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["response"]
    return found


def test_every_address_that_a_page_loads_or_links_to_exists_below_the_prefix(site: Site) -> None:
    first = site.get("")
    assert '<html lang="en" data-root="/tracker">' in first.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', first.text)
    assert len(loaded) > 20
    linked = set(addresses_in(site.get(f"{PREFIX}_dash-layout").json()))
    for path in PAGES:
        assert same(site.get(path).text) == same(first.text)
        linked |= set(addresses_in(page(site, path)))
    assert {"/tracker/", "/tracker/docs", "/tracker/metric/2", "/tracker/status"} <= linked
    for address in {*loaded, *linked - {f"#{ids.PAGE}"}}:
        assert address.startswith(PREFIX), address
        assert site.get(address).status_code == 200, address
    config = json.loads(re.search(r'id="_dash-config"[^>]*>([^<]+)<', first.text)[1])  # type: ignore[index]
    assert (config["requests_pathname_prefix"], config["url_base_pathname"]) == (PREFIX, None)


def test_the_prefix_without_its_last_slash_redirects_to_the_page(site: Site) -> None:
    answer = site.get("/tracker?q=x", allow_redirects=False)

    assert answer.status_code == 308
    assert urljoin(answer.url, answer.headers["Location"]) == f"{site.origin}/tracker/?q=x"


def test_links_of_the_interface_are_below_the_prefix(site: Site) -> None:
    second = site.get("metrics?limit=2").links["next"]["url"]
    assert second.startswith("/tracker/metrics?")
    assert [row["id"] for row in site.get(second).json()["metrics"]] == [3, 4]
    assert site.get("metrics?limit=2&format=csv").links["last"]["url"].startswith("/tracker/metrics?")
    assert site.get("alerts?format=csv").headers["Content-Type"].startswith("text/csv")

    rule = {"name": "high", "scope": ["kraken:*"], "condition": {"kind": "level", "level": 5}}
    made = requests.post(f"{site.origin}{PREFIX}alerts/rules", json=rule, timeout=60)
    assert made.status_code == 201
    assert site.get(made.headers["Location"]).json()["rule"]["name"] == "high"

    with site.get("stream", stream=True) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert next(line for line in stream.iter_lines(chunk_size=1) if line.startswith(b"data:"))


def test_the_openapi_description_has_the_prefix_and_its_page_loads(site: Site) -> None:
    described = site.get("openapi.json").json()
    (server,) = described["servers"]
    assert server == {"url": "/tracker"}
    for path, methods in described["paths"].items():
        if "get" in methods and "{" not in path and path != "/stream":
            assert site.get(server["url"] + path).status_code == 200, path
    docs = site.get("docs")
    needed = re.findall(r'(?:src|href)="([^"]+)"', docs.text)
    assert len(needed) > 6
    for address in needed:
        assert site.get(urljoin(docs.url, address)).status_code == 200, address


@pytest.mark.parametrize(
    "prefix", ["tracker", "/a b/", "//", "/a//b/", "/../", "/./", "/a?b/", "https://x.test/", '/"/', "/%2e/"]
)
def test_an_invalid_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(BadSettings, match="URL_PREFIX: must begin with a slash"):
        read_settings(None, url_prefix=prefix)


@pytest.mark.parametrize(("given", "prefix"), [("/tracker", "/tracker/"), ("/a/b.c/", "/a/b.c/"), ("/", "/")])
def test_the_last_slash_of_a_prefix_may_be_left_out(given: str, prefix: str) -> None:
    assert read_settings(None, url_prefix=given).url_prefix == prefix


@pytest.mark.parametrize("prefix", ["/metrics/", "/assets/", "/status/", "/alerts/x/", "/_dash-layout/"])
def test_a_prefix_that_is_one_of_the_servers_paths_is_refused(prefix: str) -> None:
    with pytest.raises(TrackerError, match=f"URL_PREFIX: {prefix} is a path of the server's own"):
        create_app(fake_dependencies(), prefix=prefix)


def test_environment_variables_of_dash_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {
        "DASH_URL_BASE_PATHNAME": "/foreign/",
        "DASH_REQUESTS_PATHNAME_PREFIX": "/foreign/",
        "DASH_ROUTES_PATHNAME_PREFIX": "/foreign/",
        "DASH_APP_NAME": "foreign",
        "DASH_ASSETS_EXTERNAL_PATH": "http://foreign.test/",
        "DASH_SERVE_DEV_BUNDLES": "true",
        "DASH_SUPPRESS_CALLBACK_EXCEPTIONS": "false",
        "DASH_DEBUG": "true",
        "DASH_COMPRESS": "true",
        "dash_mcp_enabled": "true",
        "DASH_INCLUDE_ASSETS_FILES": "false",
    }

    def started() -> tuple[str, list[str]]:
        app = create_app(fake_dependencies())
        return same(app.server.test_client().get("/").text), sorted(map(str, app.server.url_map.iter_rules()))

    usual = started()
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)

    assert started() == usual
    assert {name: os.environ[name] for name in foreign} == foreign
