"""The log of the whole program during a database outage: each lasting failure is logged once."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from services.bootstrap import Services, open_services
from services.market.status import Status
from services.runners.scheduler import Scheduler
from services.settings import read_settings
from services.store.database.engine import reading
from services.store.database.models import TickRow
from tests.postgresql_server import PostgreSQL
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

REFUSALS = 15


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """A server that this test may stop, unlike the shared one."""
    with PostgreSQL() as server:
        yield server


def status(services: Services) -> Status:
    return services.reader.status(datetime.now(UTC))


def lines(caplog: pytest.LogCaptureFixture, name: str, level: int) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= level and record.getMessage().startswith(f"{name}: ")
    ]


def started(url: str) -> tuple[Services, Scheduler]:
    services = open_services(read_settings(None, database_url=url, track="demo:*", period_seconds=5))
    services.migrate()
    scheduler = Scheduler(services)
    scheduler.start()
    wait_for(lambda: status(services).live == 40, what="the first tick")
    return services, scheduler


def ended(services: Services, scheduler: Scheduler) -> None:
    scheduler.stop()
    for line in scheduler._scheduler._executors.values():
        line.shutdown(wait=True)
    services.senders.wait()
    services.engine.dispose()


def stored_minutes(services: Services) -> list[int]:
    with reading(services.engine) as connection:
        return [row.minute for row in connection.execute(TickRow.__table__.select().order_by(TickRow.minute))]


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """No line a second time, and the end of each failure with how often and how long."""
    logged = Counter(record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR"))
    assert {text: count for text, count in logged.items() if count > 1} == {}
    for name in ("lease", "tick"):
        begin, end = caplog.text.find(f"{name}: "), caplog.text.rfind(f"{name}: ")
        assert 0 <= begin < end, name
        assert "failure" in caplog.text[end:].splitlines()[0]


def test_a_full_disk_and_its_end_are_logged_once_per_job_and_lose_no_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    services, scheduler = started(f"sqlite:///{tmp_path}/demo.db")
    is_full = [False]

    @event.listens_for(services.engine, "begin")
    def refuse(connection) -> None:  # type: ignore[no-untyped-def]
        # One: as many pages as there are, and none can be added.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if is_full[0] else 2**30}")
        if is_full[0] and connection.get_execution_options().get("writing", False):
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS filling (content BLOB)")
            connection.exec_driver_sql("INSERT INTO filling VALUES (zeroblob(100000000))")  # more than pages are free

    before = stored_minutes(services)
    is_full[0] = True
    wait_for(lambda: services.plan.failures.count("lease") >= REFUSALS, what="many refusals")
    is_full[0] = False
    wait_for(lambda: len(stored_minutes(services)) >= len(before) + 3, what="ticks again")
    ended(services, scheduler)

    assert len(lines(caplog, "lease", 30)) == 1
    assert "full" in lines(caplog, "lease", 30)[0]
    check_log(caplog)
    assert stored_minutes(services)[: len(before)] == before
    services.engine.dispose()


def test_a_database_outage_and_its_end_are_logged_once_per_job_and_lose_no_data(
    server: PostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    services, scheduler = started(server.create_database())
    before = stored_minutes(services)

    server.stop()
    wait_for(lambda: services.plan.failures.count("lease") >= REFUSALS, what="many refusals")
    server.start()
    wait_for(lambda: len(stored_minutes(services)) >= len(before) + 3, what="ticks again")
    ended(services, scheduler)

    check_log(caplog)
    assert stored_minutes(services)[: len(before)] == before
    services.engine.dispose()
