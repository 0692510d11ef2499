"""Ticks while the database server stops and starts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from services.market.errors import StoreUnavailable
from services.store.database.engine import open_engine, reading
from services.store.database.schema import migrate
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness
from tests.postgresql_server import PostgreSQL

pytestmark = pytest.mark.processes

BTC = "kraken:BTC-USD"


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for this test alone, which may stop it."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def pipeline(server: PostgreSQL) -> Iterator[PipelineHarness]:
    """A pipeline after two ticks, with several idle connections in the pool."""
    engine = open_engine(server.url)
    migrate(engine, simulated=False)
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})])
    pipeline.discover()
    pipeline.tick()
    pipeline.tick()
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(reading(engine))
    yield pipeline
    engine.dispose()


@pytest.mark.parametrize("end", [PostgreSQL.stop, PostgreSQL.kill])
def test_a_restart_of_the_server_between_two_ticks_goes_unnoticed(
    server: PostgreSQL, pipeline: PipelineHarness, end: Callable[[PostgreSQL], None]
) -> None:
    before = pipeline.stored(BTC)
    end(server)
    server.start()

    report = pipeline.tick()

    assert report is not None
    assert (report.state.stored, report.state.missed) == (1, 0)
    assert pipeline.stored(BTC) == [*before, (pipeline.now, 100.0)]
    with ExitStack() as stack:  # none of the old idle connections is met later either
        for _ in range(6):
            connection = stack.enter_context(reading(pipeline.engine))
            assert connection.exec_driver_sql("SELECT count(*) FROM tick").scalar_one() == 3


def test_ticks_are_not_stored_while_the_server_is_down_and_are_again_when_it_is_back(
    server: PostgreSQL, pipeline: PipelineHarness
) -> None:
    before = pipeline.stored(BTC)
    server.stop()

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            pipeline.tick()
    with pytest.raises(StoreUnavailable):
        pipeline.reader.ranking()

    server.start()
    report = pipeline.tick()
    assert report is not None
    assert (report.state.stored, report.state.missed) == (1, 2)
    assert pipeline.stored(BTC) == [*before, (pipeline.now, 100.0)]
    assert before[-1][0] == pipeline.now - timedelta(minutes=3)


def test_a_tick_during_which_the_server_stops_leaves_nothing_stored(
    server: PostgreSQL, pipeline: PipelineHarness
) -> None:
    before = pipeline.stored(BTC)
    revision = pipeline.reader.revision()
    exchange = pipeline.exchanges[0]
    exchange.on_quotes = server.stop

    with pytest.raises(StoreUnavailable):
        pipeline.tick()
    exchange.on_quotes = lambda: None
    server.start()

    assert (pipeline.stored(BTC), pipeline.reader.revision()) == (before, revision)
    report = pipeline.tick(minutes=0)  # the same period again
    assert report is not None
    assert report.state.missed == 0
    assert pipeline.stored(BTC) == [*before, (pipeline.now, 100.0)]
