"""In every documented way of starting, an open server refuses foreign host names.

Another site can point its own name at this server (DNS rebinding). A visitor's browser then treats the server as a part
of that site.
"""

import re
import shlex
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app import serve_by
from services.bootstrap import open_services
from services.commands.command_line import parser
from services.settings import SIMULATED_TRACK, Settings, read_settings
from tests.deployments import compose, dockerfile, host_button, procfile, recipe, substituted
from tests.docs.documents import PAGES, blocks, everywhere, tables, unmarked

FOREIGN = ("evil.example", "evil.example:8888", "127.0.0.1.evil.example", "evillocalhost", "localhost.evil.example", "")
HERE = ("localhost:8888", "127.0.0.1", "[::1]:8888")

Environment = dict[str, str]


def from_command_line(command_line: list[str]) -> Environment:
    """The settings from a command line of app.py."""
    given = parser().parse_args(command_line)
    assert given.part == "all"
    environment = {"HOST": given.host, "PORT": given.port and str(given.port), "TRACK": given.demo and SIMULATED_TRACK}
    return {name: value for name, value in environment.items() if value}


def bound(command_line: list[str]) -> Environment:
    """The host from `--bind`, as gunicorn.conf.py passes it to the workers."""
    host, _, _ = command_line[command_line.index("--bind") + 1].rpartition(":")
    return {"HOST": host}


def by_make(target: str) -> Environment:
    command = shlex.split(next(line for line in recipe(target) if "app.py" in line))
    return from_command_line(command[command.index("app.py") + 1 :])


def in_compose(**chosen: str) -> Environment:
    web = compose()["services"]["web"]
    environment = {
        name: substituted(value, POSTGRES_PASSWORD="x", **chosen) for name, value in web["environment"].items()
    }
    return environment | bound(web["command"])


def behind_a_proxy() -> Environment:
    """The settings that the documentation lists for a proxy."""
    (table,) = tables("docs/access.md", "## Behind a proxy")
    return dict(setting.split("=") for setting in map(unmarked, (row[0] for row in table[1:])) if "=" in setting)


WAYS: dict[str, Callable[[], Environment]] = {
    "make run": lambda: by_make("run"),
    "make demo": lambda: by_make("demo"),
    "python app.py": lambda: from_command_line([]),
    "python app.py --host": lambda: from_command_line(["--host", "0.0.0.0", "--port", "80"]),
    "gunicorn": dict,  # gunicorn.conf.py binds to HOST
    "web of the Procfile": lambda: bound(procfile()["web"]),
    "the image": lambda: dict(dockerfile().envs),
    "docker compose up": in_compose,
    "compose, given its name": lambda: in_compose(ALLOWED_HOSTS="tracker.example.org"),
    "behind a proxy": behind_a_proxy,
    "compose behind a proxy": lambda: in_compose(**behind_a_proxy()),
    "below a path": lambda: {"URL_PREFIX": "/tracker/"},
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, migrated_sqlite_url: str) -> Callable[[Environment], FlaskClient]:
    """The server that a way of starting opens, with an empty database."""

    def begin(environment: Environment) -> FlaskClient:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings = read_settings(None, database_url=migrated_sqlite_url, redis_url=None)
        return serve_by(open_services(settings)).server.test_client()

    return begin


def statuses(client: FlaskClient, host: str, prefix: str = "") -> list[int]:
    """The statuses of reading, writing and pages for requests to this host name."""
    base = {"base_url": f"http://{host}", "headers": {"Host": host}}
    with client.get(f"{prefix}/assets/tracker.css", **base) as file:
        return [
            client.get(f"{prefix}/metrics", **base).status_code,
            client.get(f"{prefix}/", **base).status_code,
            client.post(f"{prefix}/alerts/rules", json={}, **base).status_code,
            client.post(f"{prefix}/_dash-update-component", json={}, **base).status_code,
            file.status_code,
        ]


@pytest.mark.parametrize("way", WAYS)
def test_a_foreign_host_name_is_refused_for_reading_and_writing(
    way: str, start: Callable[[Environment], FlaskClient]
) -> None:
    environment = WAYS[way]()
    client, prefix = start(environment), environment.get("URL_PREFIX", "").rstrip("/")

    assert {host: statuses(client, host, prefix) for host in FOREIGN} == {host: [421] * 5 for host in FOREIGN}
    names = (*HERE, *filter(None, [environment.get("ALLOWED_HOSTS")]))
    assert {host: 421 in statuses(client, host, prefix) for host in names} == dict.fromkeys(names, False)


@pytest.mark.parametrize("host", ["192.168.1.5:8888", "10.0.0.1", "[fd00::1]:8888", "tracker-box", "tracker-box.local"])
def test_an_open_server_accepts_its_addresses_and_its_own_name(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[Environment], FlaskClient], host: str
) -> None:
    monkeypatch.setattr("app.gethostname", lambda: "Tracker-Box")

    assert 421 not in statuses(start(WAYS["the image"]()), host)


def test_a_server_with_a_password_accepts_any_host_name_and_requires_the_password(
    start: Callable[[Environment], FlaskClient],
) -> None:
    """As with app.json, where the host name is unknown beforehand."""
    environment = {name: entry.get("value", "generated") for name, entry in host_button()["env"].items()}
    environment.pop("NOTIFY_URLS")
    client = start(environment | bound(procfile()["web"]))

    assert statuses(client, "tracker.herokuapp.com") == [401] * 5
    assert client.get("/metrics", auth=("analyst", "generated"), headers={"Host": "any.example"}).status_code == 200


def test_every_documented_way_of_starting_is_tested_here() -> None:
    shown = {line for _, line in everywhere(r"^(make (?:run|demo))$")}
    shown |= {f"python {line}" for _, line in everywhere(r"(?:^|\bpython |\\python )(app\.py(?: --\w+)?)$")}
    shown |= {line for _, line in everywhere(r"\b(docker compose up|docker run|gunicorn)\b")}
    assert shown == {
        "make run",
        "make demo",
        "python app.py",
        "python app.py --demo",  # as make demo
        "docker compose up",
        "gunicorn",
    }
    assert "`Procfile`" in PAGES["docs/deployment.md"]
    assert any("location /tracker/" in block for block in blocks(PAGES["docs/deployment.md"]))
    assert re.search(r"`ALLOWED_HOSTS=tracker\.example\.org`", PAGES["docs/access.md"])
