from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from flask import Flask

from api.routes import mount
from services.market.errors import Unavailable
from services.market.track import parse_track
from services.pipeline.discover import Discovery, settle
from services.store.database.engine import Engine
from tests.builders import NOON
from tests.fakes import fake_dependencies
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness


def discovery(engine: Engine, track: str, *exchanges: FakeExchange, unknown: dict[str, str] | None = None) -> Discovery:
    return Discovery(engine, {exchange.name: exchange for exchange in exchanges}, unknown or {}, parse_track(track))


def keys(pipeline: PipelineHarness) -> list[str]:
    return [f"{row.market}:{row.base}/{row.quote}" for row in pipeline.reader.ranking().metrics]


LISTED = {"BTC/USD": True, "ETH/USD": True, "BTC/EUR": True, "OLD/USD": False}


def test_a_wildcard_tracks_only_trading_pairs_and_a_named_pair_also_while_halted(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    pipeline = PipelineHarness(engine, [exchange])

    discovery(engine, "kraken:*/USD", exchange).run(NOON)
    assert keys(pipeline) == ["kraken:BTC/USD", "kraken:ETH/USD"]

    discovery(engine, "kraken:OLD/USD", exchange).run(NOON)
    assert keys(pipeline) == ["kraken:OLD/USD"]


def test_an_unknown_pair_is_reported_with_similar_ones_and_the_others_are_tracked(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    pipeline = PipelineHarness(engine, [exchange])

    discovery(engine, "kraken:BTC/USD,kraken:ETH/USB,kraken:*/JPY", exchange).run(NOON)

    assert keys(pipeline) == ["kraken:BTC/USD"]
    first, second = pipeline.reader.status(NOON).warnings
    assert first == "TRACK: kraken has no pair */JPY"
    assert second.startswith("TRACK: kraken has no pair ETH/USB (did you mean ETH/USD")
    assert "TRACK: kraken has no pair */JPY" in caplog.text


def test_an_unknown_exchange_is_reported_and_the_others_are_tracked(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    pipeline = PipelineHarness(engine, [exchange])

    found = discovery(engine, "kraken:BTC/USD", exchange, unknown={"krakn": "TRACK: krakn: no such exchange"})

    assert found.run(NOON)
    assert pipeline.reader.status(NOON).warnings == ("TRACK: krakn: no such exchange",)
    assert keys(pipeline) == ["kraken:BTC/USD"]


def test_an_unavailable_exchange_keeps_its_metrics_and_is_retried_at_once(engine: Engine) -> None:
    kraken, binance = FakeExchange("kraken", listed=LISTED), FakeExchange("binance", listed=LISTED)
    pipeline = PipelineHarness(engine, [kraken, binance])
    track = "kraken:BTC/USD,binance:BTC/USD"
    discovery(engine, track, kraken, binance).run(NOON)

    again = discovery(engine, track, kraken, binance)
    kraken.error = Unavailable("kraken", "maintenance")
    assert again.run(NOON + timedelta(hours=2))
    assert keys(pipeline) == ["kraken:BTC/USD", "binance:BTC/USD"]
    states = {state.market: state.error for state in pipeline.reader.status(NOON).exchanges}
    assert states == {"kraken": "maintenance", "binance": None}

    kraken.error, kraken.listed = None, {"BTC/USD": False}
    assert again.run(NOON + timedelta(hours=2, seconds=30))
    assert pipeline.row("kraken:BTC-USD").reason == "halted"


def test_listings_are_requested_once_an_hour(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed=LISTED)
    found = discovery(engine, "kraken:*/USD", exchange)

    assert found.run(NOON)
    assert not found.run(NOON + timedelta(minutes=59))
    assert found.run(NOON + timedelta(minutes=60))


def test_pairs_removed_from_track_are_dropped_at_the_start(engine: Engine) -> None:
    kraken, binance = FakeExchange("kraken", listed=LISTED), FakeExchange("binance", listed=LISTED)
    pipeline = PipelineHarness(engine, [kraken, binance])
    discovery(engine, "kraken:BTC/USD,binance:BTC/USD", kraken, binance).run(NOON)
    pipeline.tick()

    discovery(engine, "binance:BTC/USD", binance).run(NOON)

    assert keys(pipeline) == ["binance:BTC/USD"]
    assert [state.market for state in pipeline.reader.status(NOON).exchanges] == ["binance"]
    assert pipeline.row("kraken:BTC-USD").id == 1


HOUR = timedelta(hours=1)


def new_pairs(pipeline: PipelineHarness) -> dict[str, datetime]:
    return {str(row.pair): row.new_at for row in pipeline.reader.ranking().metrics if row.new_at is not None}


def test_only_pairs_listed_after_the_first_discovery_are_new(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed={"BTC/USD": True})
    pipeline = PipelineHarness(engine, [exchange])
    found = discovery(engine, "kraken:*/USD,kraken:ABC/EUR", exchange)
    found.run(NOON)
    assert new_pairs(pipeline) == {}

    exchange.listed = {"BTC/USD": True, "SOL/USD": True, "ETH/USD": True, "BTC/EUR": True, "ABC/EUR": False}
    found.run(NOON + HOUR)

    assert new_pairs(pipeline) == dict.fromkeys(("ETH/USD", "SOL/USD", "ABC/EUR"), NOON + HOUR)


def test_a_pair_listed_while_the_program_was_stopped_is_new_after_the_restart(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed={"BTC/USD": True})
    pipeline = PipelineHarness(engine, [exchange])
    discovery(engine, "kraken:*/USD,kraken:*/EUR", exchange).run(NOON)

    exchange.listed = {"BTC/USD": True, "ETH/USD": True}
    discovery(engine, "kraken:*/EUR,kraken:*/USD", exchange).run(NOON + 50 * HOUR)

    assert new_pairs(pipeline) == {"ETH/USD": NOON + 50 * HOUR}


def test_pairs_added_to_track_are_not_new_but_later_listings_are(engine: Engine) -> None:
    kraken = FakeExchange("kraken", listed={"BTC/USD": True, "BTC/EUR": True})
    binance = FakeExchange("binance", listed={"BTC/USD": True})
    pipeline = PipelineHarness(engine, [kraken, binance])
    discovery(engine, "kraken:*/USD,binance:*", kraken, binance).run(NOON)

    kraken.listed = {"BTC/USD": True, "BTC/EUR": True, "ETH/USD": True}
    binance.listed = {"BTC/USD": True, "XRP/USD": True}
    found = discovery(engine, "kraken:*,binance:*", kraken, binance)
    found.run(NOON + HOUR)
    assert new_pairs(pipeline) == {"XRP/USD": NOON + HOUR}

    kraken.listed = {"BTC/USD": True, "BTC/EUR": True, "ETH/USD": True, "SOL/USD": True}
    found.run(NOON + 2 * HOUR)
    assert new_pairs(pipeline) == {"XRP/USD": NOON + HOUR, "SOL/USD": NOON + 2 * HOUR}


def test_pairs_found_after_a_failed_first_discovery_are_not_new(engine: Engine) -> None:
    exchange = FakeExchange("kraken", error=Unavailable("kraken", "maintenance"))
    pipeline = PipelineHarness(engine, [exchange])
    found = discovery(engine, "kraken:*/USD", exchange)
    found.run(NOON)

    exchange.error, exchange.listed = None, {"BTC/USD": True}
    found.run(NOON + HOUR)

    assert keys(pipeline) == ["kraken:BTC/USD"]
    assert new_pairs(pipeline) == {}


def test_a_pair_is_new_for_a_day_of_ticks(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    exchange.prices["ETH/USD"] = 1.0
    pipeline.discover()

    pipeline.tick(minutes=24 * 60 - 1)
    assert pipeline.row("kraken:ETH-USD").new_at == NOON
    pipeline.tick()
    assert pipeline.row("kraken:ETH-USD").new_at is None


def test_a_pair_of_a_wildcard_is_halted_while_listed_and_delisted_when_gone(engine: Engine) -> None:
    exchange = FakeExchange("kraken", listed={"A/USD": True, "B/USD": True, "C/USD": True})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    exchange.listed = {"A/USD": True, "B/USD": False}
    pipeline.discover()

    assert [pipeline.row(f"kraken:{base}-USD").reason for base in "ABC"] == [None, "halted", "delisted"]
    assert pipeline.reader.status(NOON).warnings == ()


def test_a_halted_pair_leaves_the_ranking_at_once_and_the_others_move_up(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 1.0, "C/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()
    exchange.prices |= {"A/USD": 9.0, "B/USD": 5.0}
    pipeline.tick()
    priced_at = pipeline.now
    del exchange.prices["A/USD"]
    pipeline.discover()

    for _ in range(2):
        *ranked, last = pipeline.reader.ranking().metrics
        assert [(row.base, row.rank, row.active) for row in ranked] == [("B", 1, True), ("C", 2, True)]
        assert (last.base, last.rank, last.active, last.reason) == ("A", None, False, "delisted")
        assert (last.price, last.updated_at) == (9.0, priced_at)
        pipeline.tick()

    exchange.prices["A/USD"] = 9.0
    pipeline.discover()
    first = pipeline.reader.ranking().metrics[0]
    assert (first.base, first.rank, first.active, first.reason, first.id) == ("A", 1, True, None, 1)
    assert first.new_at is None


def test_routes_state_why_a_metric_is_inactive_and_still_return_its_history(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 2.0}, volumes={"A/USD": 7.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()
    exchange.listed = {"A/USD": False, "B/USD": True, "C/USD": True}
    pipeline.discover()
    server = Flask(__name__)
    mount(server, fake_dependencies(pipeline.reader, lambda: pipeline.now))
    client = server.test_client()

    rows = client.get("/metrics").json["metrics"]
    assert [(row["base"], row["rank"], row["active"], row["reason"], row["new_at"]) for row in rows] == [
        ("B", 1, True, None, None),
        ("A", None, False, "halted", None),
        ("C", None, True, None, "2026-03-01T12:01:00Z"),
    ]
    assert (rows[1]["price"], rows[1]["updated_at"]) == (1.0, "2026-03-01T12:01:00Z")
    assert client.get("/metrics/kraken:a-usd/prices").json == {
        "prices": [{"price": 1.0, "createdAt": "2026-03-01T12:01:00Z"}]
    }
    assert client.get("/metrics/1/volumes").json["volumes"][0]["volume"] == 7.0


@pytest.mark.parametrize("name", ["币安人生/USDT", "Я/USDT", "@G/USDT", "A+B/USDT", "$MYRO/USDT"])
def test_a_pair_in_any_script_has_its_page_and_data_under_its_key(engine: Engine, name: str) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("binance", {name: 5.0})])
    pipeline.discover(f"binance:{name}")
    pipeline.tick()
    server = Flask(__name__)
    mount(server, fake_dependencies(pipeline.reader, lambda: pipeline.now))
    client = server.test_client()
    key = f"binance:{name.replace('/', '-')}"

    for address in (quote(key), quote(key.lower())):
        assert client.get(f"/metrics/{address}").json["metric"]["price"] == 5.0
        assert len(client.get(f"/metrics/{address}/prices").json["prices"]) == 1
    body = client.get(f"/metrics/{quote(key)}/prices?format=csv")
    assert (body.status_code, body.mimetype) == (200, "text/csv")
    line = client.get("/metrics?format=csv&fields=base,price").text.splitlines()[1]
    base = name.partition("/")[0]
    assert line == ("'" if base[0] in "@+=-" else "") + f"{base},5.0"


def test_pairs_dropped_from_track_leave_the_ranking_without_gaps(engine: Engine) -> None:
    kraken, binance = FakeExchange("kraken", {"BTC/USD": 1.0}), FakeExchange("binance", {"BTC/USD": 1.0})
    pipeline = PipelineHarness(engine, [kraken, binance])
    pipeline.discover()
    pipeline.tick()

    settle(engine, ["binance"], {})

    assert [(row.market, row.rank) for row in pipeline.reader.ranking().metrics] == [("binance", 1)]
    status = pipeline.reader.status(pipeline.now)
    assert (status.tracked, status.live) == (1, 1)
