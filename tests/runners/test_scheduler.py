from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from services.bootstrap import Services, open_services
from services.jobs import Job, run_discovery
from services.market.status import Status
from services.runners.scheduler import LEASE_SHARE, RENEWALS_PER_LEASE, Scheduler
from services.settings import Settings, read_settings
from services.store.database import leases
from services.store.database.engine import reading, writing
from tests.fakes_exchange import FakeExchange
from tests.runners.schedulers import Start, started_schedulers
from tests.waiting import wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(None, database_url=f"sqlite:///{tmp_path}/demo.db", track="demo:*", period_seconds=5)


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    with started_schedulers(settings) as start:
        yield start


def status(services: Services) -> Status:
    return services.reader.status(datetime.now(UTC))


def owner(services: Services) -> str | None:
    with reading(services.engine) as connection:
        return leases.holder(connection, datetime.now(UTC).timestamp())


def test_a_new_installation_discovers_ticks_and_backfills_by_itself(start: Start) -> None:
    services, _ = start()

    wait_for(lambda: status(services).live == 40, what="the first tick")
    wait_for(lambda: services.reader.metric("demo:btc-usd").samples >= 1440, what="the backfill")
    first = status(services).minute
    assert first is not None
    assert first.timestamp() % 5 == 0

    wait_for(lambda: status(services).minute != first, what="the second tick")
    assert status(services).ticks[0].missed == 0


def test_one_of_two_processes_ticks_and_the_other_takes_over_when_it_stops(start: Start) -> None:
    first, first_scheduler = start()
    wait_for(lambda: owner(first) == first.owner, what="the lease")
    second, _ = start()
    wait_for(lambda: status(second).live == 40, what="the first tick")
    assert owner(second) == first.owner

    first_scheduler.stop()

    wait_for(lambda: owner(second) == second.owner, what="the take-over")
    before = status(second).minute
    wait_for(lambda: status(second).minute != before, what="a tick of the second process")


def test_another_process_takes_over_from_one_that_dies(start: Start) -> None:
    services, _ = start()
    wait_for(lambda: status(services).live == 40, what="the first tick")
    with writing(services.engine) as connection:  # as a process leaves it that dies just after a renewal
        services_lease = leases.holder(connection, datetime.now(UTC).timestamp())
        assert services_lease is not None
        leases.release(connection, services_lease)
        assert leases.take(connection, "dead", datetime.now(UTC).timestamp(), 9.0)

    assert owner(services) == "dead"
    wait_for(lambda: owner(services) == services.owner, what="the take-over")


def test_a_standby_takes_over_from_a_clock_that_dies_in_a_tick(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, scheduler = start()
    wait_for(lambda: status(first).live == 40, what="the first tick")
    caplog.set_level("INFO")
    second, _ = start()
    wait_for(lambda: "another process has the clock, this one stands by" in caplog.text, what="the log line")

    monkeypatch.setattr(leases, "release", lambda *_: None)  # a process that dies does not release its lease
    scheduler.stop()
    wait_for(lambda: owner(second) == second.owner, what="the take-over")


def test_a_take_over_needs_at_most_ten_seconds_or_six_tenths_of_a_short_period() -> None:
    """By the waits alone: a lease renewed just before expires, and the next attempt follows."""
    longest = 1 + 1 / RENEWALS_PER_LEASE
    assert longest * leases.MAX_SECONDS < 10
    assert longest * LEASE_SHARE < 0.6


def test_an_error_in_a_job_is_logged_and_the_next_run_follows(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    services, _ = start()
    wait_for(lambda: status(services).live == 40, what="the first tick")
    with writing(services.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE tick RENAME TO hidden")
    wait_for(lambda: "tick: nothing stored, the next one tries again" in caplog.text, what="the log line")
    with writing(services.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO tick")
    count = len(status(services).ticks)

    wait_for(lambda: len(status(services).ticks) > count, what="the next tick")


def test_a_defect_in_a_job_is_logged_with_its_place(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    def break_off() -> None:
        raise AttributeError("no such attribute")

    services = open_services(
        settings, open_exchange=lambda name: FakeExchange(name, {"BTC/USD": 1.0}, on_quotes=break_off)
    )
    services.migrate()
    scheduler = Scheduler(services)
    scheduler.start()

    wait_for(lambda: "tick: broke off" in caplog.text, what="the log line")
    scheduler.stop()
    assert "no such attribute" in caplog.text
    assert "in break_off" in caplog.text
    services.engine.dispose()


def test_a_job_interrupted_by_the_end_of_the_program_logs_no_error(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    begun, ended = Event(), Event()

    def ask_late(services: Services, now: datetime) -> None:
        fetcher = services.ingestion.fetcher
        begun.set()
        services.stopping.wait()
        try:
            wait_for(lambda: not fetcher.fetch(["demo"], now), what="the end of the threads")
        finally:
            ended.set()

    services = open_services(settings)
    services.migrate()
    scheduler = Scheduler(services, [Job("discovery", 30, ask_late)])
    scheduler.start()
    assert begun.wait(10)
    scheduler.stop()

    assert ended.wait(10)
    wait_for(
        lambda: "discovery: ended with the program: cannot schedule new futures" in caplog.text, what="the log line"
    )
    assert "broke off" not in caplog.text
    services.engine.dispose()


def test_ticks_longer_than_their_period_are_logged_once_and_so_is_their_end(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    may_end = Event()
    services = open_services(settings)
    services.migrate()
    scheduler = Scheduler(services, [Job("tick", 1, lambda *_: may_end.wait(30) and None)])
    failures = services.plan.failures
    scheduler.start()
    wait_for(lambda: failures.count("slow ticks") >= 2, what="ticks left out")
    may_end.set()
    wait_for(lambda: not failures.count("slow ticks"), what="a tick in time")
    scheduler.stop()

    logged = [record.getMessage() for record in caplog.records if "slow ticks" in record.getMessage()]
    assert len(logged) == 2
    assert logged[0] == "slow ticks: a tick is left out, the one before is still running"
    assert logged[1].startswith("slow ticks: ticks take no longer than a period again, after ")
    services.engine.dispose()


def test_no_tick_follows_a_discovery_that_is_interrupted_by_the_end_of_the_program(settings: Settings) -> None:
    services = open_services(settings)
    services.migrate()
    services.stopping.set()

    run_discovery(services, datetime.now(UTC))

    found = status(services)
    assert (found.tracked, found.minute) == (40, None)
    services.close()
    services.engine.dispose()


def test_an_unknown_exchange_is_reported_and_an_unavailable_one_is_retried(tmp_path: Path) -> None:
    settings = read_settings(
        None, database_url=f"sqlite:///{tmp_path}/t.db", track="krakn:BTC/USD,kraken:BTC/USD",
        exchange_base_url="http://127.0.0.1:9",
    )  # fmt: skip
    services = open_services(settings)
    services.migrate()

    assert services.ingestion.discovery.run(datetime.now(UTC)) is False

    found = status(services)
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("TRACK: krakn: no such exchange (did you mean kraken")
    (kraken,) = found.exchanges
    assert kraken.market == "kraken"
    assert (kraken.error or "").startswith("127.0.0.1 refused the connection. Check the network")
    services.close()
    services.engine.dispose()
