import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.errors import BadPayload, ExchangeError, Unavailable
from services.market.types import Pair, Quotes
from services.pipeline.fetch import FetchResult
from services.runners.answer_codec import pack, unpack

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, st.floats(allow_infinity=False)), max_size=50))
def test_quotes_survive_json_bit_for_bit(figures: list[tuple[float, float]]) -> None:
    pairs = tuple(Pair(f"C{number}", "USD") for number in range(len(figures)))
    prices = np.array([price for price, _ in figures], dtype=np.float64)
    volumes = np.array([volume for _, volume in figures], dtype=np.float64)
    answer = FetchResult(
        "kraken", 12.5, Quotes(pairs, prices, volumes, {Pair("A", "USD"): "zero"}, frozenset(pairs[:2]))
    )

    found = unpack(json.loads(json.dumps(pack(answer), allow_nan=False)))

    assert (found.market, found.latency_ms, found.error) == ("kraken", 12.5, None)
    assert found.quotes is not None
    assert found.quotes.pairs == pairs
    assert found.quotes.prices.tobytes() == prices.tobytes()
    assert np.array_equal(found.quotes.volumes, volumes, equal_nan=True)
    assert found.quotes.refused == {Pair("A", "USD"): "zero"}
    assert found.quotes.idle == set(pairs[:2])


@pytest.mark.parametrize(
    "error",
    [Unavailable("okx", "timed out", "timeout", "Check the network"), BadPayload("okx", "sent a web page")],
)
def test_errors_keep_their_kind_text_and_advice(error: ExchangeError) -> None:
    found = unpack(json.loads(json.dumps(pack(FetchResult("okx", 3.0, error=error)))))

    assert type(found.error) is type(error)
    assert str(found.error) == str(error)
    assert (found.error.kind, found.error.explanation) == (error.kind, error.explanation)
    assert found.quotes is None
