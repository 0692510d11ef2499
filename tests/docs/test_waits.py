"""The documentation lists each wait and its limit; nothing else in the code waits without a limit."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from api.middleware import rate_limits
from services import bootstrap, name_resolution
from services.caching import process_reader, redis_cache
from services.exchanges import ccxt_exchange
from services.notifiers import apprise_notifier, heartbeat, webhook
from services.runners import celery_app
from services.store import tokens
from services.store.database import engine, postgresql, schema
from tests.docs.documents import ROOT, tables

LISTED = next(table for table in tables("docs/operations.md") if table[0][0] == "wait for")[1:]

SECONDS: dict[str, tuple[float | None, ...]] = {
    "a PostgreSQL that does not respond": (
        postgresql.SUSPICIOUS_SECONDS,
        postgresql.ANSWER_SECONDS,
        postgresql.SUSPICIOUS_SECONDS + postgresql.ANSWER_SECONDS,
        postgresql.COMMAND_TIMEOUTS.silent_seconds,
    ),
    "one statement of a PostgreSQL": (
        postgresql.DEFAULT_TIMEOUTS.statement_seconds,
        postgresql.MAINTENANCE_TIMEOUTS.statement_seconds,
    ),
    "a new connection": (postgresql.NETWORK["connect_timeout"],),
    "another writer": (engine.BUSY_SECONDS, schema.LOCK_SECONDS),
    "a process that stopped": (
        postgresql.DEFAULT_TIMEOUTS.idle_seconds,
        postgresql.MAINTENANCE_TIMEOUTS.idle_seconds,
    ),
    "the database, for pages": (process_reader.TIMEOUT_SECONDS,),
    "the database, for an API token": (tokens.TIMEOUT_SECONDS, tokens.MAX_AGE_IN_OUTAGE.total_seconds()),
    "Redis, as shared cache": (redis_cache.SOCKET_SECONDS, redis_cache.PAUSE_SECONDS),
    "Redis, for request counts": (rate_limits.REDIS_TIMEOUT, rate_limits.REDIS_PAUSE),
    "Redis, as broker": (celery_app.REDIS_SECONDS,),
    "an exchange, for prices": (bootstrap.MAX_WAIT_SECONDS,),
    "an exchange, for its list": (ccxt_exchange.LISTING_SECONDS,),
    "an exchange, for a page": (ccxt_exchange.CANDLE_REQUEST_SECONDS,),
    "a webhook's receiver": (webhook.SECONDS,),
    "a service of Apprise": (apprise_notifier.SECONDS,),
    "`HEARTBEAT_URL`": (heartbeat.SECONDS,),
    "a name server": (name_resolution.SECONDS,),
    "a Celery task": (celery_app.TASK_SECONDS,),
}
"""The limits of each wait, by the beginning of its row."""

NAMES = {"accept", "acquire", "communicate", "exception", "get", "getresponse", "join", "recv", "result", "wait"}
"""Calls that wait without a limit unless they get an argument."""

KNOWN = {
    "api/server/asgi.py": {"self._places.acquire()": 3},  # until a place is free
    "api/server/listeners.py": {"self._woken.wait()": 1},  # until a listener's next event
    "api/server/thread_pool.py": {"self._jobs.get()": 1},  # an idle thread, until there is work
    "services/commands/clock.py": {"stop.wait()": 1},  # until the signal to end
    "services/concurrency/last_known.py": {"reading.result()": 1},  # limited by the time of a read
    "services/concurrency/versioned_cache.py": {"found[1].result()": 1},  # limited by the time of the computation
    "services/concurrency/deadline.py": {"future.result()": 1},  # it is done
    "services/store/alerting/replay_process.py": {"process.wait()": 1},  # the process has closed its pipe and is ending
    "services/notifiers/safe_http.py": {"connection.getresponse()": 1},  # within a deadline
    "services/pipeline/discover.py": {"answer.result()": 1},  # limited by the time for an exchange's list
    "services/pipeline/fetch.py": {"asked[market].result()": 1},  # it is done
    "services/pipeline/notify.py": {
        "wait(self._running.values())": 1
    },  # limited by the time of the messages being sent
    "services/runners/celery_app.py": {"services.senders.wait()": 1},  # the same
    "services/caching/redis_cache.py": {"claim.acquire()": 1},  # one attempt: created as non-blocking
}
"""Calls without an argument for a limit, and what limits them."""


@pytest.mark.parametrize("beginning", SECONDS)
def test_each_documented_limit_is_that_of_the_code(beginning: str) -> None:
    (row,) = [row for row in LISTED if row[0].startswith(beginning)]
    text = " ".join(row)
    for seconds in SECONDS[beginning]:
        assert f"{seconds:g} s" in text
    if beginning == "a name server":
        assert f"at most {name_resolution.MAX_UNDER_WAY} names at once" in text


def test_every_row_is_compared_with_the_code() -> None:
    assert len(LISTED) == len(SECONDS)


def test_nothing_else_waits_without_a_limit() -> None:
    found = {
        file.relative_to(ROOT).as_posix(): calls
        for top in ("app.py", "api", "callbacks", "layouts", "services")
        for file in ([ROOT / top] if top.endswith(".py") else sorted((ROOT / top).rglob("*.py")))
        if (calls := Counter(map(ast.unparse, endless(file))))
    }
    assert found == KNOWN


def endless(file: Path) -> list[ast.Call]:
    return [
        call
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _is_endless(call)
    ]


def _is_endless(call: ast.Call) -> bool:
    named = {keyword.arg for keyword in call.keywords}
    match call.func:
        case ast.Attribute(attr=name):
            return name in NAMES and not call.args and not named
        case ast.Name(id="wait"):
            return len(call.args) < 2 and "timeout" not in named
    return False
