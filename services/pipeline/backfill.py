"""Backfill: find the gaps in the window, and fill them from candles at the exchange's rate."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

import numpy as np

from services.market import gaps
from services.market.errors import BadPayload, ExchangeError, StoreUnavailable, Unavailable
from services.market.gaps import Span
from services.market.ports import Clock, Exchange
from services.market.stats import measures, metric_stats
from services.market.stats.metric_stats import Windows
from services.market.status import BackfillState
from services.market.times import DAY, HOUR, from_epoch, to_epoch
from services.market.types import CandlePage, Candles, Catalogue, Ints, Metric
from services.pipeline.outages import Outages, Request
from services.pipeline.rank import recompute
from services.pipeline.tick import Plan
from services.store.alerting import running_sums_recomputation
from services.store.database.engine import Connection, reading, writing
from services.store.history import backfills, prices, samples
from services.store.history.prices import PRICE
from services.store.ranking import snapshots, ticks
from services.store.ranking.snapshots import Snapshot

BATCH = 200
"""Metrics whose stored times are read at once to find gaps."""

MARGIN_SECONDS = 300
"""Gaps are filled from this long before the window, so that even wide candles have a close at its start."""

FLUSH_SECONDS = 2.0
"""How often candles are written: seldom enough for the database, often enough for people who watch."""

FLUSH_SAMPLES = 50_000
"""Candles are also written when they hold this many samples: more in one transaction would keep a tick waiting."""

RETRY_GAP_SECONDS = backfills.MAX_REST_SECONDS
RETRY_EMPTY_SECONDS = 900
"""After these times an exchange is asked again for candles that it did not have: the shorter one where it had none at
all."""

LATE_SECONDS = 15.0
"""A tick that began this long after its period, as at a start, has prices of a later moment: a candle replaces them
where there is one."""

UNSETTLED_SECONDS = 180
"""The newest candles may appear late, so that their absence says nothing yet."""

MAX_FAILURES = 5
"""Failures in a row that end an exchange's round."""

RETRY_SECONDS = 2.5
MAX_RETRY_SECONDS = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One request: a page of one metric's candles, the `gaps` that it fills, and the moments (`late`, epoch
    seconds) whose stored price a candle replaces."""

    metric: Metric
    page: CandlePage
    gaps: tuple[Span, ...]
    late: Ints


@dataclass
class _Progress:
    market: str
    total: int
    done: int = 0
    failed: int = 0

    def state(self, now: datetime) -> BackfillState:
        return BackfillState(self.market, self.done, self.total, self.failed, now)


@dataclass
class _Found:
    """Candles that are not written yet."""

    since: float
    candles: list[tuple[Task, Candles]] = field(default_factory=list)

    def is_due(self, now: float) -> bool:
        samples = sum(len(candles.times) for _, candles in self.candles)
        return samples >= FLUSH_SAMPLES or now - self.since >= FLUSH_SECONDS


def plan_tasks(plan: Plan, exchange: Exchange, now: datetime) -> list[Task]:
    """The requests that fill the gaps of this exchange's metrics, the most recent first.

    Covers the window, and at least 24 h. Raises StoreUnavailable.
    """
    step = gaps.grid_step(plan.period_seconds)
    with reading(plan.engine) as connection:
        snapshot = snapshots.load(connection)
        catalogue = plan.catalogues.current(connection)
        answered = backfills.answered(connection, to_epoch(now))
        late = ticks.late(connection, to_epoch(now) - plan.windows.longest, LATE_SECONDS)
    # What is later than the last tick belongs to the next one, whose period must stay empty.
    until = int(now.timestamp() if snapshot.minute is None else snapshot.minute) // step * step
    # A little more than the window, because changes are counted from the price at its start.
    since = until - (max(plan.windows.main, DAY) + MARGIN_SECONDS) // step * step
    frozen = set(snapshot.statistics["id"][measures.frozen(snapshot.statistics)].tolist())
    rows = _lacking(snapshot, plan.windows, catalogue, sorted(catalogue.rows.get(exchange.name, {}).values()))
    tasks: list[Task] = []
    for start in range(0, len(rows), BATCH):
        part = np.array(rows[start : start + BATCH], dtype=np.int64)
        statistics = metric_stats.empty(catalogue.ids)
        with reading(plan.engine) as connection:
            runs = list(prices.read_history(connection, statistics, part, since, until))
        for row in part.tolist():
            metric = catalogue.metrics[row]
            if metric.active and metric.id not in frozen:
                own = [run.where(run.rows == row) for run in runs if row in run.rows]
                times = np.concatenate([run.times for run in own]) if own else np.empty(0, dtype=np.int64)
                widths = np.concatenate([run.widths for run in own]) if own else np.empty(0, dtype=np.int64)
                known = answered.get(metric.id, ())
                missing = gaps.find_gaps(times, widths, since, until, step, known)
                if missing and len(late):  # a late price alone is not worth a request
                    timely = ~np.isin(times, late)
                    missing = gaps.find_gaps(times[timely], widths[timely], since, until, step, known)
                tasks += _tasks(exchange, metric, missing, late, step, now)
    tasks.sort(key=lambda task: task.page.until, reverse=True)
    return tasks


def _lacking(snapshot: Snapshot, windows: Windows, catalogue: Catalogue, rows: list[int]) -> list[int]:
    """Those of `rows` that may have gaps. Reading a day of each metric is the cost of planning, and the statistics show
    that most metrics have none."""
    if windows.main < DAY or snapshot.windows != windows:
        return rows
    found, known = metric_stats.rows_of(snapshot.statistics, catalogue.ids[rows])
    weight = np.zeros(len(rows))
    weight[known] = snapshot.statistics["weight"][found[known]]
    return [row for row, covered in zip(rows, weight.tolist(), strict=True) if covered < windows.main]


def _tasks(
    exchange: Exchange, metric: Metric, missing: Sequence[Span], late: Ints, step: int, now: datetime
) -> list[Task]:
    tasks = []
    for since, until in gaps.join_near(missing, step):
        for page in exchange.pages(from_epoch(since), from_epoch(until), now):
            low, high = to_epoch(page.since), to_epoch(page.until)
            inside = tuple((max(a, low), min(b, high)) for a, b in missing if a < high and b > low)
            if inside:
                tasks.append(Task(metric, page, inside, late))
    return tasks


class Backfill:
    """Fills the gaps of one exchange's metrics, and remembers how much was missing when it last ended."""

    def __init__(self, plan: Plan, exchange: Exchange, clock: Clock, outages: Outages | None = None) -> None:
        self._plan = plan
        self._exchange = exchange
        self._clock = clock
        self._outages = outages or Outages([exchange.name])
        self._missing: float | None = None
        self._ended = 0.0
        self._is_stuck = False

    def is_due(self) -> bool:
        """Whether more is missing than when the last round ended, because of new metrics or gaps; or whether it is time
        to ask again for what the exchange did not have. Raises StoreUnavailable."""
        missing = self._count_missing()
        step = gaps.grid_step(self._plan.period_seconds)
        waited = self._plan.timer() - self._ended >= RETRY_EMPTY_SECONDS
        if self._missing is None or missing > self._missing + step or (waited and missing > step):
            return True
        self._missing = min(self._missing, missing)
        return False

    def run(self, stop: Event) -> None:
        """Carry out a round, and another one at once where metrics were added meanwhile, as at a start. Raises
        StoreUnavailable."""
        while self._carry_out(stop) and not stop.is_set():
            pass

    def _carry_out(self, stop: Event) -> bool:
        """Plan one round and carry it out, until `stop` is set; returns whether metrics were added meanwhile, which it
        does not cover."""
        market = self._exchange.name
        catalogue = self._catalogue_number()
        tasks = deque(plan_tasks(self._plan, self._exchange, self._clock()))
        progress = _Progress(market, len(tasks))
        if tasks and not self._is_stuck:
            log.info("%s: backfill begins, %d requests", market, len(tasks))
        found = _Found(self._plan.timer())
        self._write(found, progress)
        in_a_row = 0
        while tasks and not stop.is_set() and in_a_row < MAX_FAILURES:
            task = tasks.popleft()
            try:
                candles = self._exchange.candles(task.metric.pair, task.page)
            except Unavailable as error:
                in_a_row += 1
                self._outages.failed(market, Request.CANDLES, error)
                tasks.appendleft(task)
                stop.wait(min(RETRY_SECONDS * 2**in_a_row, MAX_RETRY_SECONDS))
            except ExchangeError as error:
                in_a_row += isinstance(error, BadPayload)
                progress.failed += 1
                text = f"{task.metric.pair} failed: {error.detail}"
                self._plan.failures.failed(_name(market), text, reason=error.detail)
            else:
                in_a_row = 0
                self._outages.answered(market, Request.CANDLES)
                progress.done += 1
                found.candles.append((task, candles))
            if found.is_due(self._plan.timer()):
                self._write(found, progress)
                found = _Found(self._plan.timer())
        complete = not tasks
        self._write(found, progress)
        self._ended = self._plan.timer()
        has_grown = self._catalogue_number() != catalogue
        if complete and not has_grown:
            self._missing = self._count_missing()
        was_stuck, self._is_stuck = self._is_stuck, not complete and not progress.done
        if progress.done and not progress.failed:
            self._plan.failures.ended(_name(market))
        if progress.total and not (was_stuck and self._is_stuck):
            log.info(
                "%s: backfill %s, %d requests done, %d failed", market, _end(complete), progress.done, progress.failed
            )
        return has_grown

    def _write(self, found: _Found, progress: _Progress) -> None:
        """Store the candles with the statistics that they change, and record the progress of the round."""
        plan, now = self._plan, self._clock()
        with writing(plan.engine) as connection:
            snapshots.raise_revision(connection)
            touched, newest = [], 0
            for task, candles in found.candles:
                indices, widths = gaps.fit(candles, task.gaps, gaps.grid_step(plan.period_seconds))
                if len(indices):
                    times, closes = candles.times[indices], candles.closes[indices]
                    samples.remove(connection, PRICE, task.metric.id, np.intersect1d(times, task.late))
                    prices.store_history(connection, task.metric.id, times, closes, widths)
                    touched.append(task.metric.id)
                    newest = max(newest, int(times[-1]))
                settled = min(to_epoch(task.page.until), to_epoch(now) - UNSETTLED_SECONDS)
                since = to_epoch(task.page.since)
                if settled > since:
                    again = to_epoch(now) + (RETRY_GAP_SECONDS if len(candles.times) else RETRY_EMPTY_SECONDS)
                    backfills.record_answered(connection, task.metric.id, since, settled, again)
            if touched:
                self._recompute(connection, np.unique(touched), newest)
            backfills.record_progress(connection, progress.state(now))
            oldest = to_epoch(now) - max(plan.windows.main, DAY) - HOUR
            backfills.forget_before(connection, oldest)

    def _recompute(self, connection: Connection, metric_ids: Ints, newest: int) -> None:
        """Recompute what depends on the prices of these metrics, of which some up to `newest` were added."""
        plan, snapshot = self._plan, snapshots.load(connection)
        if snapshot.minute is None:
            return  # nothing depends on prices yet
        running_sums_recomputation.request_after_backfill(
            connection, metric_ids, newest, snapshot.minute, plan.period_seconds, plan.windows.main
        )
        if not snapshot.complete:
            return  # the first tick computes everything from stored prices
        rows, known = metric_stats.rows_of(snapshot.statistics, metric_ids)
        statistics = snapshot.statistics.copy()
        recompute(connection, statistics, rows[known], snapshot.minute, snapshot.windows)
        catalogue = plan.catalogues.current(connection)
        active = np.isin(statistics["id"], catalogue.ids[catalogue.active])
        measures.rank(statistics, active)
        snapshots.save(connection, snapshot.minute, snapshot.windows, statistics)

    def _catalogue_number(self) -> int:
        with reading(self._plan.engine) as connection:
            return self._plan.catalogues.current(connection).number

    def _count_missing(self) -> float:
        """Seconds of the window without a price, in total over this exchange's active metrics."""
        with reading(self._plan.engine) as connection:
            snapshot = snapshots.load(connection)
            catalogue = self._plan.catalogues.current(connection)
        places = catalogue.places.get(self._exchange.name, np.empty(0, dtype=np.int64))
        ids = catalogue.ids[places[catalogue.active[places]]]
        ids = np.setdiff1d(ids, snapshot.statistics["id"][measures.frozen(snapshot.statistics)], assume_unique=True)
        rows, known = metric_stats.rows_of(snapshot.statistics, ids)
        covered = snapshot.statistics["weight"][rows[known]]
        return float(len(ids) * self._plan.windows.main - covered.sum())


def _name(market: str) -> str:
    """The name of an exchange's rounds in the log."""
    return f"{market}: backfill"


def _end(complete: bool) -> str:
    return "complete" if complete else "interrupted"


class Backfills:
    """One backfill per exchange, each on a thread of its own, so that none waits for another."""

    def __init__(self, plan: Plan, exchanges: Iterable[Exchange], clock: Clock, outages: Outages | None = None) -> None:
        self._rounds = {exchange.name: Backfill(plan, exchange, clock, outages) for exchange in exchanges}
        self._threads = ThreadPoolExecutor(max(1, len(self._rounds)), thread_name_prefix="backfill")
        self._running: dict[str, Future[None]] = {}
        self._failures = plan.failures
        self._stop = Event()

    def run(self) -> None:
        """Start a round for each exchange that is due and has none under way. Raises StoreUnavailable."""
        for market, backfill in self._rounds.items():
            running = self._running.get(market)
            if (running is None or running.done()) and backfill.is_due():
                self._running[market] = self._threads.submit(self._round, market, backfill)

    def run_one(self, market: str, stop: Event) -> None:
        """Carry out a round of this exchange on the calling thread, if it is due, until `stop` is set. Raises
        StoreUnavailable."""
        backfill = self._rounds.get(market)
        if backfill is not None and backfill.is_due():
            backfill.run(stop)

    def close(self) -> None:
        """End each round after its current request; candles received so far are stored."""
        self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _round(self, market: str, backfill: Backfill) -> None:
        try:
            backfill.run(self._stop)
        except StoreUnavailable as error:
            self._failures.failed(_name(market), f"broke off: {error}", level=logging.ERROR)
        except Exception as error:  # noqa: BLE001 - the last frame of this thread: elsewhere it is never seen
            self._failures.crashed(_name(market), error)
