"""What one request for candles can bring, exchange by exchange."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.market.times import from_epoch, to_epoch
from services.market.types import CandlePage

DEFAULT_PAGE = 300
MARGIN = 5
"""Candles fewer than the newest-only exchanges keep: the unfinished one, and those that time takes while we ask."""


@dataclass(frozen=True, slots=True)
class CandleLimits:
    """`width` in seconds of the finest candles, `page` of them a request. With `newest_only` an exchange gives
    its newest page whatever is asked for; older history then comes in candles of `coarse` seconds, if any."""

    width: int = 60
    page: int = DEFAULT_PAGE
    newest_only: bool = False
    coarse: int | None = None


# Measured; exchanges that are not named here tell their page through ccxt and page forward as asked.
MEASURED = {
    "kraken": CandleLimits(page=720, newest_only=True, coarse=300),
    "gemini": CandleLimits(page=1_440, newest_only=True),
    "mexc": CandleLimits(page=500),  # tells 1,000 and then gives the oldest half of what was asked
    "bitfinex": CandleLimits(page=1_500),
}


def split(limits: CandleLimits, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
    """The requests, newest first, that cover (`since`, `until`] as far as the exchange reaches.

    They begin and end where candles do, so that none falls between two of them.
    """
    first, last, moment = (to_epoch(at) for at in (since, until, now))
    last = min(last, moment) // limits.width * limits.width
    if not limits.newest_only:
        return tuple(_pages(_floor(first, limits.width), last, limits.width, limits.page))
    coarse = limits.coarse or limits.width
    border = min(max(_reach(moment, limits.width, limits.page, coarse), _floor(first, limits.width)), last)
    pages = list(_pages(border, last, limits.width, limits.page))
    if limits.coarse is not None:
        oldest = max(_floor(first, coarse), _reach(moment, coarse, limits.page, coarse))
        pages += _pages(oldest, _floor(border, coarse), coarse, limits.page)
    return tuple(pages)


def _floor(second: int, width: int) -> int:
    return second // width * width


def _reach(moment: int, width: int, page: int, grid: int) -> int:
    """Where the newest `page` candles begin, on the grid of those that take over there."""
    return -(-(moment - (page - MARGIN) * width) // grid) * grid


def _pages(first: int, last: int, width: int, page: int) -> Iterator[CandlePage]:
    while last > first:
        start = max(first, last - page * width)
        yield CandlePage(from_epoch(start), from_epoch(last), width)
        last = start
