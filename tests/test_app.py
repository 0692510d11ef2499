"""The program as users start it: real processes on free local ports."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import make_url

from layouts import ids
from tests.redis_server import RedisServer
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
Run = Callable[..., subprocess.Popen[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    """Status and body; status 0 without a response."""
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except (URLError, ConnectionError, TimeoutError):
        return 0, ""


def metrics(port: int) -> list[dict[str, Any]]:
    status, body = get(port, "/metrics")
    found: list[dict[str, Any]] = json.loads(body)["metrics"] if status == 200 else []
    return found


def wait_until_ready(port: int) -> None:
    wait_for(lambda: get(port, "/readyz")[0] == 200, seconds=40, what=f"readiness on port {port}")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts programs with an environment of their own, and kills those that remain."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str, **settings: str) -> subprocess.Popen[str]:
        known = ("PATH", "HOME", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")
        environment = {name: os.environ[name] for name in known if name in os.environ}
        environment |= {"PYTHONPATH": str(ROOT), "PERIOD_SECONDS": "5"} | settings
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


APP = str(ROOT / "app.py")
GUNICORN = ("-m", "gunicorn", "--config", str(ROOT / "gunicorn.conf.py"), "--chdir", str(ROOT), "app:server")


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    return output


def test_one_command_serves_ranked_prices_and_ends_when_stopped(run: Run, tmp_path: Path) -> None:
    port = free_port()
    program = run(APP, "--demo", "--port", str(port))
    wait_until_ready(port)

    found = metrics(port)
    assert [row["rank"] for row in found] == list(range(1, 41))
    assert {row["market"] for row in found} == {"demo"}
    assert "Data Tracker" in get(port, "/")[1]
    output = stop(program)
    assert program.returncode == 0
    assert f"serving: open http://127.0.0.1:{port} in a browser (simulated data)" in output
    assert "Traceback" not in output
    assert (tmp_path / "data/demo.db").exists()


@pytest.mark.parametrize(
    ("arguments", "settings", "error"),
    [
        ((), {"PERIOD_SECONDS": "soon"}, "PERIOD_SECONDS"),
        ((), {"TRACK": "kraken-BTC/USD"}, "TRACK: 'kraken-BTC/USD' is not exchange:BASE/QUOTE"),
        ((), {"DATABASE_URL": "oracle://me:secret@host/db"}, "DATABASE_URL"),
        ((), {"REDIS_URL": "nonsense://:secret@host"}, "REDIS_URL: not a URL of the form redis://host:port/number"),
        ((), {"NOTIFY_URLS": "nonsense://secret"}, "NOTIFY_URLS: entry 1"),
        (("--port", "70000"), {}, "PORT"),
    ],
)
def test_an_invalid_setting_ends_the_start_with_one_line_that_names_it(
    run: Run, arguments: tuple[str, ...], settings: dict[str, str], error: str
) -> None:
    program = run(APP, *arguments, **settings)
    output, _ = program.communicate(timeout=30)

    assert program.returncode == 2
    assert len(output.strip().splitlines()) == 1
    assert output.startswith("data-tracker: ")
    assert error in output
    assert "secret" not in output


def test_gunicorn_names_an_invalid_setting_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database, whatever its name says" * 100)
    for settings, error in (
        ({"PERIOD_SECONDS": "soon"}, "PERIOD_SECONDS"),
        ({"DATABASE_URL": f"sqlite:///{tmp_path}/broken.db", "PORT": str(free_port())}, "file is not a database"),
    ):
        program = run(*GUNICORN, **settings)
        output, _ = program.communicate(timeout=30)

        assert program.returncode == 2
        (line,) = (line for line in output.splitlines() if line.startswith("data-tracker: "))
        assert error in line
        assert "Traceback" not in output


def test_an_unknown_host_is_reported_in_one_line(run: Run) -> None:
    program = run(APP, "--demo", "--host", "nosuch.invalid", "--port", str(free_port()))
    output, _ = program.communicate(timeout=30)

    assert program.returncode == 2
    assert "cannot serve on nosuch.invalid port" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", [(APP,), GUNICORN], ids=["app", "gunicorn"])
def test_an_ipv6_host_from_a_file_is_served_on(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    port = free_port()
    (tmp_path / "host").write_text("::1")
    program = run(
        *command,
        HOST_FILE=str(tmp_path / "host"),
        PORT=str(port),
        TRACK="demo:*",
        SCHEDULER="off",
        DATABASE_URL=f"sqlite:///{tmp_path}/demo.db",
    )

    def responds() -> bool:
        try:
            with urlopen(f"http://[::1]:{port}/metrics", timeout=10) as answer:
                return answer.status == 200
        except URLError:
            return False

    wait_for(responds, seconds=40, what="the server")
    output = stop(program)
    assert f"http://[::1]:{port}" in output
    assert "OPEN TO EVERYBODY" not in output


def test_when_no_exchange_can_be_reached_the_log_says_so_once_with_advice(run: Run) -> None:
    port = free_port()
    program = run(APP, "--port", str(port), EXCHANGE_BASE_URL=f"http://127.0.0.1:{free_port()}", TRACK="kraken:BTC/USD")

    def refused() -> bool:
        status, body = get(port, "/live")
        return status == 200 and any(exchange["error"] for exchange in json.loads(body)["exchanges"])

    wait_for(refused, seconds=40, what="the exchange's refusal")
    output = stop(program)
    (line,) = (line for line in output.splitlines() if "NO PRICES FROM ANY EXCHANGE" in line)
    assert "(kraken: 127.0.0.1 refused the connection)" in line
    assert "python app.py --demo" in line
    assert "Traceback" not in output


def test_a_second_signal_to_stop_does_no_harm(run: Run) -> None:
    port = free_port()
    program = run(APP, "--demo", "--port", str(port))
    wait_until_ready(port)

    program.send_signal(signal.SIGTERM)
    output = stop(program)
    assert program.returncode == 0
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_gunicorn_ends_soon_when_stopped_while_its_worker_starts(run: Run, number: int) -> None:
    program = run(*GUNICORN, "--graceful-timeout", "300", PORT=str(free_port()), TRACK="demo:*")
    assert program.stdout is not None
    for line in program.stdout:
        if "Booting worker" in line:
            break
    program.send_signal(number)
    output, _ = program.communicate(timeout=100)
    assert "Traceback" not in output


def test_a_worker_that_is_stopped_before_it_has_signal_handlers_ends(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(
        (ROOT / "gunicorn.conf.py").read_text()
        + "\n\ndef post_fork(_server, worker):\n    if worker.age == 1:\n        os.kill(worker.pid, 15)\n"
    )
    command = [str(config) if part == str(ROOT / "gunicorn.conf.py") else part for part in GUNICORN]
    program = run(*command, PORT=str(free_port()), TRACK="demo:*", SCHEDULER="off")
    assert program.stdout is not None

    booted = 0
    for line in program.stdout:
        booted += "Booting worker" in line
        if booted == 2:
            break
    assert booted == 2, "the first worker has ended, and another has replaced it"
    assert "Traceback" not in stop(program)


def test_a_body_over_the_limit_is_refused_before_it_is_received(run: Run) -> None:
    port = free_port()
    run(APP, "--demo", "--port", str(port), SCHEDULER="off")
    wait_for(lambda: get(port, "/healthz")[0] == 200, seconds=40, what="the server")

    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"POST /alerts/rules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n{")
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_port_in_use_is_reported(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        program = run(APP, "--demo", "--port", str(port))
        output, _ = program.communicate(timeout=30)

    assert program.returncode == 2
    assert f"cannot serve on 127.0.0.1 port {port}: Address already in use" in output


def test_the_check_reports_a_missing_or_empty_database_and_creates_none(run: Run, tmp_path: Path) -> None:
    missing = run(APP, "check", DATABASE_URL=f"sqlite:///{tmp_path}/missing.db")
    (tmp_path / "empty.db").touch()
    empty = run(APP, "check", DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")

    outputs = [program.communicate(timeout=30)[0] for program in (missing, empty)]
    assert outputs == [
        f"data-tracker: DATABASE_URL: there is no file {tmp_path}/missing.db\n",
        "data-tracker: DATABASE_URL: the database is not at this program's schema; `python app.py migrate` brings it"
        " there\n",
    ]
    assert (missing.returncode, empty.returncode) == (2, 2)
    assert not (tmp_path / "missing.db").exists()


UNDER_A_LIMIT = f"""
import resource, sys
import psutil
sys.path.insert(0, {str(ROOT)!r})
import app
taken = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (taken + 16 * 2**20,) * 2)
sys.exit(app.main(["--demo", "--port", "0"]))
"""


def test_too_low_a_memory_limit_is_reported_in_one_line(run: Run) -> None:
    program = run("-c", UNDER_A_LIMIT)
    output, _ = program.communicate(timeout=60)

    assert program.returncode == 2
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith("data-tracker: the system ")


def test_real_prices_are_not_stored_in_a_database_of_simulated_ones(run: Run) -> None:
    first = run(APP, "migrate", "--demo", DATABASE_URL="sqlite:///same.db")
    assert first.wait(30) == 0

    second = run(APP, "migrate", DATABASE_URL="sqlite:///same.db")
    output, _ = second.communicate(timeout=30)
    assert second.returncode == 2
    assert "never mixed" in output


def test_a_file_that_is_not_a_database_is_reported_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database, whatever its name says" * 100)
    program = run(APP, "--demo", DATABASE_URL="sqlite:///broken.db")
    output, _ = program.communicate(timeout=30)

    assert program.returncode == 2
    assert "file is not a database" in output
    assert "Traceback" not in output


def test_everything_but_the_health_checks_requires_the_password(run: Run) -> None:
    port = free_port()
    run(APP, "--demo", "--port", str(port), AUTH_USERNAME="ann", AUTH_PASSWORD="open sesame")
    wait_until_ready(port)

    for path in ("/", "/metrics", "/live", "/telemetry", "/_dash-layout", "/_dash-update-component", "/assets/x.css"):
        assert get(port, path)[0] == 401, path
    assert get(port, "/metrics", Authorization="Basic YW5uOm9wZW4gc2VzYW1l")[0] == 200
    assert get(port, "/healthz")[0] == 200


@pytest.mark.parametrize(
    "command", [(APP, "--demo", "--host", "0.0.0.0", "--port"), (*GUNICORN, "--bind")], ids=["app", "gunicorn"]
)
def test_a_server_that_others_can_reach_without_a_password_logs_a_warning(run: Run, command: tuple[str, ...]) -> None:
    port = free_port()
    where = f"0.0.0.0:{port}" if "--bind" in command else str(port)
    program = run(*command, where, TRACK="demo:*", SCHEDULER="off")
    wait_for(lambda: get(port, "/healthz")[0] == 200, seconds=40, what="the server")

    assert get(port, "/metrics", Host="tracker.example")[0] == 421
    assert get(port, "/metrics", Host="192.168.1.5")[0] == 200
    output = stop(program)
    assert "OPEN TO EVERYBODY: 0.0.0.0 is reachable from other machines" in output
    assert "--bind" in command or f"open http://127.0.0.1:{port} in a browser" in output


@pytest.mark.parametrize("command", [(APP, "--demo", "--port"), (*GUNICORN, "--bind")], ids=["app", "gunicorn"])
def test_on_loopback_only_names_of_this_machine_are_accepted(run: Run, command: tuple[str, ...]) -> None:
    port = free_port()
    where = f"127.0.0.1:{port}" if "--bind" in command else str(port)
    program = run(*command, where, TRACK="demo:*", SCHEDULER="off")
    wait_for(lambda: get(port, "/healthz")[0] == 200, seconds=40, what="the server")

    assert get(port, "/metrics", Host="evil.example")[0] == 421
    assert get(port, "/metrics", Host=f"localhost:{port}")[0] == 200
    assert "OPEN TO EVERYBODY" not in stop(program)


FORGED_HEADERS = ("SCRIPT_NAME: /metrics", "PATH_INFO: /status", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: on")


@pytest.mark.parametrize(
    "command",
    [(APP, "--demo", "--port"), (*GUNICORN, "--bind"), (*GUNICORN, "--worker-class", "gthread", "--bind")],
    ids=["app", "gunicorn", "threads"],
)
def test_forwarding_headers_from_this_machine_are_not_trusted(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    port = free_port()
    where = f"127.0.0.1:{port}" if "--bind" in command else str(port)
    run(*command, where, TRACK="demo:*", SCHEDULER="off", DATABASE_URL=f"sqlite:///{tmp_path}/demo.db")
    wait_for(lambda: get(port, "/healthz")[0] == 200, seconds=40, what="the server")

    for header in FORGED_HEADERS:
        head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(head.encode())
            answer = line.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200 OK"), header
        assert b'{"metrics":' in answer, header
        assert b"strict-transport-security" not in answer.lower(), header


def ticks(database: Path) -> list[tuple[int, int, int]]:
    """For each tick its period, the number of prices in its row, and the number of prices that are stored."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(
            """SELECT minute, stored, (SELECT count(*) FROM price WHERE price.minute = tick.minute)
               FROM tick ORDER BY minute"""
        ).fetchall()


def test_a_killed_program_leaves_no_partial_tick_and_its_gap_is_backfilled(run: Run, tmp_path: Path) -> None:
    port, database = free_port(), tmp_path / "demo.db"
    settings = {"DATABASE_URL": f"sqlite:///{database}"}
    for kill in range(3):
        program = run(APP, "--demo", "--port", str(port), **settings)
        wait_until_ready(port)
        if kill == 2:
            break
        count = len(ticks(database))
        wait_for(lambda count=count: len(ticks(database)) > count, what="another tick")
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        wait_for(lambda: get(port, "/healthz")[0] == 0, what="the end of the program")

    found = ticks(database)
    assert len({minute for minute, _, _ in found}) == len(found)
    assert all(stored == there == 40 for _, stored, there in found)
    wait_for(lambda: metrics(port)[0]["samples"] >= 1440, what="the backfill")


def test_one_of_four_workers_ticks_and_another_takes_over_when_it_dies(run: Run, tmp_path: Path) -> None:
    port, database = free_port(), tmp_path / "demo.db"
    gunicorn = run(
        *GUNICORN, "--workers", "4",
        TRACK="demo:*", PORT=str(port), DATABASE_URL=f"sqlite:///{database}", LOG_FORMAT="json",
    )  # fmt: skip
    wait_until_ready(port)

    def owner() -> int:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (name,) = connection.execute("SELECT owner FROM lease").fetchone()
        return int(name.split(":")[1])

    first = owner()
    assert first != gunicorn.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: owner() != first, seconds=20, what="the take-over")
    count = len(ticks(database))
    wait_for(lambda: len(ticks(database)) >= count + 2, what="two more ticks")

    output = stop(gunicorn)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    ticked = [line["message"].partition(": ")[0] for line in lines if " prices, " in line["message"]]
    assert len(ticked) == len(set(ticked)) == len(ticks(database))
    assert all(stored == there == 40 for _, stored, there in ticks(database))


def test_the_clock_ticks_without_serving_and_the_web_process_serves_without_ticking(run: Run, tmp_path: Path) -> None:
    port, settings = free_port(), {"DATABASE_URL": f"sqlite:///{tmp_path}/demo.db", "TRACK": "demo:*"}
    assert run(APP, "migrate", **settings).wait(30) == 0
    run(APP, "--port", str(port), SCHEDULER="off", **settings)
    wait_for(lambda: get(port, "/healthz")[0] == 200, what="the web")
    assert get(port, "/readyz")[0] == 503
    assert json.loads(get(port, "/readyz")[1])["reason"] == "No tick yet"
    check = run(APP, "check", **settings)
    assert "no tick has been stored yet" in check.communicate(timeout=30)[0]
    assert check.returncode == 2

    clock = run(APP, "clock", **settings)
    wait_until_ready(port)
    assert run(APP, "check", **settings).wait(30) == 0
    output = stop(clock)
    assert clock.returncode == 0
    assert "serving" not in output
    assert "tick " in output
    wait_for(lambda: get(port, "/readyz")[0] == 503, seconds=40, what="the last tick's ageing")
    check = run(APP, "check", **settings)
    assert "more than 3 periods ago" in check.communicate(timeout=30)[0]
    assert check.returncode == 2


def test_the_dashboard_works_without_redis_and_uses_it_again_when_it_returns(
    run: Run, redis_server: RedisServer
) -> None:
    port = free_port()
    redis_server.kill()
    program = run(
        *GUNICORN, HOST="127.0.0.1", PORT=str(port), TRACK="demo:*", WEB_CONCURRENCY="2", REDIS_URL=redis_server.url
    )
    wait_until_ready(port)

    def outputs(up: int) -> bool:
        status, text = get(port, "/telemetry")
        assert status == 200
        return f"data_tracker_shared_cache_up {up}.0" in text

    def ticked_after(minute: str) -> bool:
        found = metrics(port)
        assert len(found) == 40
        return bool(found[0]["updated_at"] > minute)

    wait_for(lambda: outputs(0), what="telemetry of an unavailable Redis")
    for up in (1, 0):
        if up:
            redis_server.start()
        else:
            redis_server.kill()
        wait_for(lambda up=up: outputs(up), what="telemetry of the change")
        latest = metrics(port)[0]["updated_at"]
        wait_for(lambda latest=latest: ticked_after(latest), what="the next tick")
    output = stop(program)
    assert "Traceback" not in output
    assert output.count("reading the database until Redis is back") <= 4  # twice away, and two workers


@pytest.mark.parametrize("command", [(APP, "--demo"), GUNICORN], ids=["one process", "gunicorn"])
def test_viewers_get_every_tick_and_delay_neither_others_nor_the_stop(run: Run, command: tuple[str, ...]) -> None:
    port = free_port()
    program = run(*command, HOST="127.0.0.1", PORT=str(port), TRACK="demo:*")
    wait_until_ready(port)
    viewers = [urlopen(f"http://127.0.0.1:{port}/stream?metrics=1", timeout=20) for _ in range(100)]

    assert len(metrics(port)) == 40
    outputs = [[events_of(viewer) for viewer in viewers] for _ in range(2)]
    newest = max(seen["revision"] for seen in outputs[1])
    for viewer, seen in zip(viewers, outputs[1], strict=True):
        while seen["revision"] < newest:  # a viewer that is behind gets it now, or times out
            seen = events_of(viewer)
    assert all(later["revision"] > sooner["revision"] for sooner, later in zip(*outputs, strict=True))
    assert all(seen["metrics"][0]["id"] == 1 for seen in outputs[0])

    program.send_signal(signal.SIGTERM)
    for viewer in viewers:
        viewer.read()
        viewer.close()
    output, _ = program.communicate(timeout=30)
    assert "Traceback" not in output


def events_of(viewer: Any) -> dict[str, Any]:
    """The next event's data."""
    line = next(line for line in viewer if line.startswith(b"data: "))
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return found


def test_importing_the_program_has_no_side_effects(run: Run, tmp_path: Path) -> None:
    code = "import sys, threading, app; print(threading.active_count(), 'ccxt' in sys.modules)"
    program = run("-c", code, DATABASE_URL="sqlite:///never.db")
    output, _ = program.communicate(timeout=30)

    assert output.split() == ["1", "False"]
    assert not (tmp_path / "never.db").exists()


def test_tokens_are_created_listed_and_revoked_by_command_and_give_access(run: Run) -> None:
    settings = {"TRACK": "demo:*", "DATABASE_URL": "sqlite:///tokens.db"}

    def token(*arguments: str) -> tuple[int, str]:
        process = run(APP, "token", *arguments, **settings)
        output, _ = process.communicate(timeout=30)
        return process.returncode, output.strip()

    assert token("list") == (0, "There are no tokens.")
    status, secret = token("add", "notebook")
    assert status == 0
    assert secret.startswith("dt_")
    port = free_port()
    program = run(APP, "--port", str(port), AUTH_USERNAME="ann", AUTH_PASSWORD="open sesame", **settings)
    wait_until_ready(port)

    assert get(port, "/metrics")[0] == 401
    assert get(port, "/metrics", Authorization=f"Bearer {secret}")[0] == 200
    status, listed = token("list")
    assert listed.startswith(f"1  {secret[:9]}...  read  notebook  (made ")
    assert ", last used " in listed
    assert secret not in listed
    assert token("revoke", "1") == (0, "Token 1 is revoked.")
    wait_for(lambda: get(port, "/metrics", Authorization=f"Bearer {secret}")[0] == 401, what="the end of the token")
    assert token("revoke", "1") == (2, "data-tracker: no token 1 that is still valid")
    assert token("add", " ")[0] == 2
    assert secret not in stop(program)


def test_no_secret_is_logged_or_shown(run: Run, tmp_path: Path, postgresql_url: str) -> None:
    """With all secrets set, at the lowest log level, and with every service but the database unreachable."""
    closed_port = free_port()
    database = make_url(postgresql_url).set(username="postgres", password="hunter-database")
    secrets = {
        "DATABASE_URL": database.render_as_string(hide_password=False),
        "REDIS_URL": f"redis://:hunter-redis@127.0.0.1:{closed_port}/0",
        "NOTIFY_URLS": f"json://me:hunter-notify@127.0.0.1:{closed_port}/?token=hunter-query",
        "AUTH_PASSWORD": "hunter-password",
    }
    settings = {"TRACK": "demo:*", "AUTH_USERNAME": "ann", "LOG_LEVEL": "DEBUG"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
        settings[f"{name}_FILE"] = str(tmp_path / name)
    port = free_port()
    program = run(APP, "--port", str(port), **settings)
    wait_until_ready(port)
    token = run(APP, "token", "add", "notebook", **settings).communicate(timeout=30)[0].split()[-1]

    login = {"Authorization": "Basic " + b64encode(b"ann:hunter-password").decode()}
    shown = [get(port, "/metrics", Authorization=f"Bearer {token}"), get(port, "/metrics", Authorization="Bearer x")]
    shown += [get(port, path, **login) for path in ("/", "/live", "/telemetry", "/_dash-layout", "/_dash-dependencies")]
    for path in ("/", "/status", "/alerting", "/metric/1"):
        view = {"path": path, "zone": "UTC", "retries": 0}
        shown.append(post(port, show_page(view), **login))
    output = stop(program)

    assert [status for status, _ in shown] == [200, 401] + [200] * 9
    assert "reading the database until Redis is back" in output, "the secrets were used"
    for text in (output, *(body for _, body in shown)):
        assert "hunter" not in text
        assert token not in text


def show_page(view: dict[str, object]) -> dict[str, object]:
    """A browser's request for a page."""
    outputs = [
        {"id": ids.PAGE, "property": "children"},
        {"id": ids.TITLE, "property": "data"},
        {"id": ids.RETRY, "property": "disabled"},
    ]
    return {
        "output": ".." + "...".join(f"{one['id']}.{one['property']}" for one in outputs) + "..",
        "outputs": outputs,
        "inputs": [{"id": ids.VIEW, "property": "data", "value": view}],
        "state": [],
        "changedPropIds": [f"{ids.VIEW}.data"],
    }


def post(port: int, body: dict[str, object], **headers: str) -> tuple[int, str]:
    """Status and body of a callback's response."""
    address = f"http://127.0.0.1:{port}/_dash-update-component"
    headers |= {"Content-Type": "application/json"}
    with urlopen(Request(address, json.dumps(body).encode(), headers), timeout=10) as answer:
        return answer.status, answer.read().decode()
