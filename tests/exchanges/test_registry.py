"""Exchanges by name."""

import subprocess
import sys

import pytest

from services.exchanges.ccxt_exchange import CcxtExchange
from services.exchanges.demo_exchange import DemoExchange
from services.exchanges.registry import open_exchange
from services.market.errors import UnknownExchange


def test_a_name_that_ccxt_knows_opens_the_real_exchange():
    exchange = open_exchange("kraken", None)

    assert isinstance(exchange, CcxtExchange)
    assert exchange.name == "kraken"


def test_demo_opens_the_simulated_one():
    exchange = open_exchange("demo", None)

    assert isinstance(exchange, DemoExchange)
    assert exchange.name == "demo"
    assert len(exchange.listings()) == 40
    assert len(open_exchange("demo", None, 1_000).listings()) == 1_000


@pytest.mark.parametrize(("name", "meant"), [("krakn", "kraken"), ("Binance", "binance"), ("dmo", "demo")])
def test_an_unknown_name_is_refused_with_similar_names(name, meant):
    with pytest.raises(UnknownExchange, match=f"no such exchange .*{meant}") as caught:
        open_exchange(name, None)

    assert caught.value.market == name


@pytest.mark.parametrize("name", ["zzzzzz", "", "Exchange", "__init__"])
def test_a_name_unlike_any_other_is_refused(name):
    with pytest.raises(UnknownExchange, match="no such exchange"):
        open_exchange(name, None)


def test_an_exchange_without_all_prices_in_one_request_is_refused():
    with pytest.raises(UnknownExchange, match="prices of all its pairs"):
        open_exchange("bitflyer", None)


def test_the_simulated_exchange_does_not_import_ccxt():
    program = (
        "import sys; from services.exchanges.registry import open_exchange; open_exchange('demo', None);"
        "sys.exit('ccxt' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
