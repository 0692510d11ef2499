"""What one request for candles can bring, exchange by exchange."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

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
NEWEST_ONLY = {
    "kraken": CandleLimits(page=720, newest_only=True, coarse=300),
    "gemini": CandleLimits(page=1_440, newest_only=True),
}


def split(limits: CandleLimits, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
    """The requests, newest first, that cover (`since`, `until`] as far as the exchange reaches."""
    first, last = int(since.timestamp()), int(until.timestamp())
    if not limits.newest_only:
        return tuple(_pages(first, last, limits.width, limits.page))
    coarse = limits.coarse or limits.width
    reach = int(now.timestamp()) - (limits.page - MARGIN) * limits.width
    border = min(max(-(-reach // coarse) * coarse, first), last)
    pages = list(_pages(border, last, limits.width, limits.page))
    if limits.coarse is not None:
        oldest = max(first // coarse * coarse, int(now.timestamp()) - (limits.page - MARGIN) * coarse)
        pages += _pages(oldest, border, coarse, limits.page)
    return tuple(pages)


def _pages(first: int, last: int, width: int, page: int) -> Iterator[CandlePage]:
    while last > first:
        start = max(first, last - page * width)
        yield CandlePage(_moment(start), _moment(last), width)
        last = start


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
