from datetime import timedelta

import pytest

from services.market.errors import Unavailable
from services.market.track import parse_track
from services.pipeline.discover import Discovery
from services.store.engine import Engine
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World


def discovery(engine: Engine, track: str, *exchanges: FakeExchange, unknown: dict[str, str] | None = None) -> Discovery:
    return Discovery(engine, {exchange.name: exchange for exchange in exchanges}, unknown or {}, parse_track(track))


def keys(world: World) -> list[str]:
    return [f"{row.market}:{row.base}/{row.quote}" for row in world.reader.ranking().metrics]


LISTED = {"BTC/USD": True, "ETH/USD": True, "BTC/EUR": True, "OLD/USD": False}


def test_families_take_in_what_trades_and_named_pairs_also_what_does_not(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    world = World(engine, [exchange])

    discovery(engine, "kraken:*/USD", exchange).run(NOON)
    assert keys(world) == ["kraken:BTC/USD", "kraken:ETH/USD"]

    discovery(engine, "kraken:OLD/USD", exchange).run(NOON)
    assert keys(world) == ["kraken:OLD/USD"]


def test_a_pair_that_does_not_exist_is_told_with_its_neighbours_and_the_rest_goes_on(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    world = World(engine, [exchange])

    discovery(engine, "kraken:BTC/USD,kraken:ETH/USB,kraken:*/JPY", exchange).run(NOON)

    assert keys(world) == ["kraken:BTC/USD"]
    first, second = world.reader.status(NOON).warnings
    assert first == "TRACK: kraken has no pair */JPY"
    assert second.startswith("TRACK: kraken has no pair ETH/USB (did you mean ETH/USD")
    assert "TRACK: kraken has no pair */JPY" in caplog.text


def test_an_exchange_that_does_not_exist_is_told_and_the_rest_goes_on(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    world = World(engine, [exchange])

    found = discovery(engine, "kraken:BTC/USD", exchange, unknown={"krakn": "TRACK: krakn: no such exchange"})

    assert found.run(NOON)
    assert world.reader.status(NOON).warnings == ("TRACK: krakn: no such exchange",)
    assert keys(world) == ["kraken:BTC/USD"]


def test_an_exchange_that_is_away_keeps_its_metrics_and_is_asked_again_at_once(engine: Engine) -> None:
    kraken, binance = FakeExchange("kraken", listed=LISTED), FakeExchange("binance", listed=LISTED)
    world = World(engine, [kraken, binance])
    track = "kraken:BTC/USD,binance:BTC/USD"
    discovery(engine, track, kraken, binance).run(NOON)

    again = discovery(engine, track, kraken, binance)
    kraken.error = Unavailable("kraken", "maintenance")
    assert again.run(NOON + timedelta(hours=2))
    assert keys(world) == ["kraken:BTC/USD", "binance:BTC/USD"]
    states = {state.market: state.error for state in world.reader.status(NOON).exchanges}
    assert states == {"kraken": "maintenance"}

    kraken.error, kraken.listed = None, {"BTC/USD": False}
    assert again.run(NOON + timedelta(hours=2, seconds=30))
    assert world.row("kraken:BTC-USD").reason == "halted"


def test_a_list_is_asked_for_once_an_hour(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    found = discovery(engine, "kraken:*/USD", exchange)

    assert found.run(NOON)
    assert not found.run(NOON + timedelta(minutes=59))
    assert found.run(NOON + timedelta(minutes=60))


def test_what_track_no_longer_names_is_let_go_at_the_start(engine: Engine) -> None:
    kraken, binance = FakeExchange("kraken", listed=LISTED), FakeExchange("binance", listed=LISTED)
    world = World(engine, [kraken, binance])
    discovery(engine, "kraken:BTC/USD,binance:BTC/USD", kraken, binance).run(NOON)
    world.tick()

    discovery(engine, "binance:BTC/USD", binance).run(NOON)

    assert keys(world) == ["binance:BTC/USD"]
    assert [state.market for state in world.reader.status(NOON).exchanges] == ["binance"]
    assert world.row("kraken:BTC-USD").id == 1
