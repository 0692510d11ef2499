from threading import Event, Thread

import pytest

from services.exchanges.ccxt_exchange import CcxtExchange
from services.market.errors import BadPayload, Unavailable
from services.market.track import parse_track
from services.market.types import Listing
from services.pipeline.discover import Discovery, discover
from services.pipeline.fetch import Fetcher
from services.pipeline.outages import Outages
from services.store.database.engine import Engine
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.processes import free_port
from tests.waiting import wait_for

GONE = Unavailable("kraken", "gone")


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.levelname, record.message) for record in caplog.records if record.name.endswith(("outages", "failures"))
    ]


def test_an_outage_of_all_exchanges_is_logged_once_with_advice(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    exchange = FakeExchange("kraken", listed={"BTC/USD": True}, error=GONE)
    discovery = Discovery(engine, {"kraken": exchange}, {}, parse_track("kraken:BTC/USD"))
    for _ in range(3):
        assert not discovery.run(NOON)

    (detail, everything) = logged(caplog)
    assert detail == ("WARNING", "kraken: its pairs are not known yet: gone")
    level, text = everything
    assert level == "ERROR"
    assert text.startswith("NO PRICES FROM ANY EXCHANGE (kraken: gone): it is tried again by itself; check")
    assert "HTTPS_PROXY" in text
    assert text.endswith("python app.py --demo")

    caplog.clear()
    exchange.error = None
    assert discovery.run(NOON)
    assert logged(caplog) == [
        ("INFO", "kraken: answers again, after 3 failures in 0:00:00"),
        ("INFO", "an exchange answers again: kraken"),
    ]


def test_an_outage_with_another_reason_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    exchange = FakeExchange("kraken", {"BTC/USD": 1.0})
    fetcher = Fetcher([exchange], 5.0)
    late = Unavailable("kraken", "timed out", "timeout")
    for error in (None, GONE, GONE, None, late, late, GONE, BadPayload("kraken", "sent nonsense"), None):
        exchange.error = error
        fetcher.fetch(["kraken"], NOON)
    fetcher.close()

    assert [text.partition(" (kraken")[0] for _, text in logged(caplog)] == [
        "kraken: no prices: gone",
        "NO PRICES FROM ANY EXCHANGE",
        "kraken: answers again, after 2 failures in 0:00:00",
        "an exchange answers again: kraken",
        "kraken: no prices: timed out",
        "NO PRICES FROM ANY EXCHANGE",
        "kraken: no prices: gone",  # another kind of failure
        "kraken: no prices: sent nonsense",  # needs attention by a person
        "kraken: answers again, after 4 failures in 0:00:00",
        "an exchange answers again: kraken",
    ]


def test_each_failing_exchange_is_logged_by_itself_while_another_answers(caplog: pytest.LogCaptureFixture) -> None:
    exchanges = [FakeExchange("kraken", error=GONE), FakeExchange("gemini", {"BTC/USD": 1.0})]
    fetcher = Fetcher(exchanges, 5.0)
    fetcher.fetch(["kraken", "gemini"], NOON)
    fetcher.close()

    assert logged(caplog) == [("WARNING", "kraken: no prices: gone")]


def test_an_exchange_with_prices_is_reachable_even_without_listings(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    outages, exchange = Outages(["kraken"]), FakeExchange("kraken", {"BTC/USD": 1.0})
    fetcher = Fetcher([exchange], 5.0, outages=outages)
    fetcher.fetch(["kraken"], NOON)
    exchange.error = GONE
    discover(engine, {"kraken": exchange}, parse_track("kraken:BTC/USD"), NOON, outages)
    fetcher.close()

    assert logged(caplog) == [("WARNING", "kraken: its pairs are not known yet: gone")]


def test_a_reason_shared_by_all_exchanges_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    names = ("kraken", "gemini", "okx")
    fetcher = Fetcher([FakeExchange(name, error=Unavailable(name, name[:1])) for name in (*names, "kucoin")], 5.0)
    fetcher.fetch([*names, "kucoin"], NOON)
    fetcher.close()

    assert "ANY EXCHANGE (kraken, kucoin: k; gemini: g; okx: o): " in logged(caplog)[-1][1]


def test_an_exchange_that_hangs_is_logged_before_its_deadline(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """A user who has just started the program sees the reason before the whole time limit has passed."""
    caplog.set_level("INFO")
    speak = Event()

    class Silent(FakeExchange):
        def listings(self) -> tuple[Listing, ...]:
            assert speak.wait(30)
            return super().listings()

    exchanges = {"kraken": Silent("kraken", listed={"BTC/USD": True})}
    outages = Outages(exchanges, timeout_seconds=0.01)
    asking = Thread(
        target=discover,
        args=(engine, exchanges, parse_track("kraken:BTC/USD"), NOON, outages),
    )
    asking.start()
    wait_for(lambda: logged(caplog), what="the complaint")
    assert logged(caplog)[0][1].startswith("NO PRICES FROM ANY EXCHANGE (kraken: no answer within 0.01 s): ")

    speak.set()
    asking.join()
    assert logged(caplog)[1:] == [("INFO", "an exchange answers again: kraken")]


def test_the_logged_reason_is_the_cause_below_the_ccxt_error(caplog: pytest.LogCaptureFixture) -> None:
    exchange = CcxtExchange("kraken", f"http://127.0.0.1:{free_port()}")
    fetcher = Fetcher([exchange], 5.0)
    fetcher.fetch(["kraken"], NOON)
    fetcher.close()

    assert logged(caplog)[0][1] == "kraken: no prices: 127.0.0.1 refused the connection"
    assert "ANY EXCHANGE (kraken: 127.0.0.1 refused the connection): " in logged(caplog)[1][1]
