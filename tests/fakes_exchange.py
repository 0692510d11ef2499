"""A fake exchange, notifier and clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from services.market.alerting.messages import Message
from services.market.errors import DeliveryFailed, ExchangeError
from services.market.types import CandlePage, Candles, Listing, Pair, Quotes


def pair(text: str) -> Pair:
    base, quote = text.split("/")
    return Pair(base, quote)


@dataclass
class FakeExchange:
    """`prices` and `volumes` by pair as text; `close_at` gives a pair's close at an epoch second, None for no candle.

    Every call raises `error`; requests for candles raise `candle_errors` one after the other.
    """

    name: str = "kraken"
    prices: dict[str, float] = field(default_factory=dict)
    volumes: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)
    error: ExchangeError | None = None
    listed: Mapping[str, bool] | None = None
    close_at: Callable[[str, int], float | None] = lambda _pair, _second: None
    page_candles: int = 1_000
    coarse_before: datetime | None = None
    candle_errors: list[ExchangeError] = field(default_factory=list)
    asked: list[tuple[str, CandlePage]] = field(default_factory=list)
    on_quotes: Callable[[], object] = lambda: None
    requests_a_second: float | None = None

    def listings(self) -> tuple[Listing, ...]:
        if self.error is not None:
            raise self.error
        listed = dict.fromkeys(self.prices, True) if self.listed is None else self.listed
        return tuple(Listing(pair(text), active) for text, active in listed.items())

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:
        self.on_quotes()
        if self.error is not None:
            raise self.error
        volumes = [self.volumes.get(text, float("nan")) for text in self.prices]
        pairs = tuple(map(pair, self.prices))
        return Quotes(
            pairs,
            np.array(list(self.prices.values()), dtype=float),
            np.array(volumes),
            {pair(text): reason for text, reason in self.refused.items()},
            frozenset(map(pair, self.idle)),
        )

    def pages(self, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
        pages = []
        while until > since:
            coarse = self.coarse_before is not None and until <= self.coarse_before
            width = 300 if coarse else 60
            start = max(since, until - timedelta(seconds=width * self.page_candles))
            if not coarse and self.coarse_before is not None:
                start = max(start, self.coarse_before)
            pages.append(CandlePage(start, until, width))
            until = start
        return tuple(pages)

    def candles(self, pair: Pair, page: CandlePage) -> Candles:
        self.asked.append((str(pair), page))
        if self.candle_errors:
            raise self.candle_errors.pop(0)
        first, last = int(page.since.timestamp()), int(page.until.timestamp())
        seconds = range((first // page.width + 1) * page.width, last + 1, page.width)
        found = {second: self.close_at(str(pair), second) for second in seconds}
        known = {second: close for second, close in found.items() if close is not None}
        return Candles(page.width, np.array(list(known), dtype=np.int64), np.array(list(known.values()), dtype=float))


@dataclass
class FakeNotifier:
    """Stores the messages it accepts; raises `errors`, one for each send, first."""

    channel: str = "test"
    errors: list[DeliveryFailed] = field(default_factory=list)
    accepted: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.accepted.append(message)


@dataclass
class FakeClock:
    """Returns `now`, which a test moves."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now
