"""The database server goes away and comes back between ticks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from services.market.errors import StoreUnavailable
from services.store.database.engine import open_engine, reading
from services.store.database.schema import migrate
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World
from tests.postgresql_server import PostgreSQL

pytestmark = pytest.mark.processes

BTC = "kraken:BTC-USD"


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server of the test's own, which may end it."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def world(server: PostgreSQL) -> Iterator[World]:
    """After two ticks, with several connections at rest in the pool."""
    engine = open_engine(server.url)
    migrate(engine, simulated=False)
    world = World(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})])
    world.discover()
    world.tick()
    world.tick()
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(reading(engine))
    yield world
    engine.dispose()


@pytest.mark.parametrize("end", [PostgreSQL.stop, PostgreSQL.kill])
def test_a_server_that_was_started_again_between_two_ticks_is_not_noticed(
    server: PostgreSQL, world: World, end: Callable[[PostgreSQL], None]
) -> None:
    before = world.stored(BTC)
    end(server)
    server.start()

    report = world.tick()

    assert report is not None
    assert (report.state.stored, report.state.missed) == (1, 0)
    assert world.stored(BTC) == [*before, (world.now, 100.0)]
    with ExitStack() as stack:  # none of those that were at rest is met later either
        for _ in range(6):
            connection = stack.enter_context(reading(world.engine))
            assert connection.exec_driver_sql("SELECT count(*) FROM tick").scalar_one() == 3


def test_ticks_without_a_server_store_nothing_and_the_next_one_with_it_does(server: PostgreSQL, world: World) -> None:
    before = world.stored(BTC)
    server.stop()

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            world.tick()
    with pytest.raises(StoreUnavailable):
        world.reader.ranking()

    server.start()
    report = world.tick()
    assert report is not None
    assert (report.state.stored, report.state.missed) == (1, 2)
    assert world.stored(BTC) == [*before, (world.now, 100.0)]
    assert before[-1][0] == world.now - timedelta(minutes=3)


def test_a_server_that_ends_in_the_middle_of_a_tick_keeps_none_of_it(server: PostgreSQL, world: World) -> None:
    before = world.stored(BTC)
    revision = world.reader.revision()
    exchange = world.exchanges[0]
    exchange.on_quotes = server.stop

    with pytest.raises(StoreUnavailable):
        world.tick()
    exchange.on_quotes = lambda: None
    server.start()

    assert (world.stored(BTC), world.reader.revision()) == (before, revision)
    report = world.tick(minutes=0)  # the same period once more
    assert report is not None
    assert report.state.missed == 0
    assert world.stored(BTC) == [*before, (world.now, 100.0)]
