"""An exchange's answer as JSON values, sent from the worker that fetched it to the one that stores it."""

from typing import Any

import numpy as np

from services.market.errors import BadPayload, ExchangeError, Unavailable
from services.market.types import Pair, Quotes
from services.pipeline.fetch import FetchResult

Wire = dict[str, Any]

_ERRORS: dict[str, type[ExchangeError]] = {"unavailable": Unavailable, "bad payload": BadPayload}


def pack(answer: FetchResult) -> Wire:
    """The answer as JSON values; floats keep every bit in JSON as Python writes it."""
    packed: Wire = {"market": answer.market, "latency_ms": answer.latency_ms}
    if answer.error is not None:
        kind = "unavailable" if isinstance(answer.error, Unavailable) else "bad payload"
        error = answer.error
        return packed | {"error": kind, "detail": error.detail, "kind": error.kind, "advice": error.advice}
    quotes = answer.quotes
    assert quotes is not None  # an answer has an error or quotes
    return packed | {
        "bases": [pair.base for pair in quotes.pairs],
        "quotes": [pair.quote for pair in quotes.pairs],
        "prices": quotes.prices.tolist(),
        "volumes": [None if volume != volume else volume for volume in quotes.volumes.tolist()],
        "refused": [[*pair, reason] for pair, reason in quotes.refused.items()],
        "idle": [list(pair) for pair in quotes.idle],
    }


def unpack(packed: Wire) -> FetchResult:
    """The answer that was packed."""
    market, latency_ms = packed["market"], packed["latency_ms"]
    if "error" in packed:
        return FetchResult(market, latency_ms, error=_error(packed))
    quotes = Quotes(
        tuple(Pair(base, quote) for base, quote in zip(packed["bases"], packed["quotes"], strict=True)),
        np.array(packed["prices"], dtype=np.float64),
        np.array([np.nan if volume is None else volume for volume in packed["volumes"]], dtype=np.float64),
        {Pair(base, quote): reason for base, quote, reason in packed["refused"]},
        frozenset(Pair(*pair) for pair in packed["idle"]),
    )
    return FetchResult(market, latency_ms, quotes)


def _error(packed: Wire) -> ExchangeError:
    return _ERRORS[packed["error"]](packed["market"], packed["detail"], packed["kind"], packed["advice"])
