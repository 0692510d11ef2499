"""One tick: fetch, then store, rank and alert in a single commit."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.market.alerting.rules import AlertRule
from services.market.failures import Failures
from services.market.stats.metric_stats import Windows
from services.market.status import SetAside, TickState
from services.market.times import from_epoch, to_epoch
from services.pipeline.alert import alert
from services.pipeline.arrivals import select_tracked
from services.pipeline.evaluate_rules import Scopes
from services.pipeline.exchange_health import record_health
from services.pipeline.fetch import Fetcher, FetchResult
from services.pipeline.rank import rank
from services.pipeline.set_aside import is_due, set_aside
from services.pipeline.store import store
from services.pipeline.tick_context import TickContext
from services.store.alerting.alerts import NewAlert
from services.store.database import leases
from services.store.database.engine import MAINTENANCE_TIMEOUTS, Engine, writing
from services.store.ranking import snapshots, ticks
from services.store.ranking.metrics import CatalogueCache

CLOCK, GAPS = "clock", "gaps"
"""Names in the log of what can keep ticks from following each other."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How a server ticks: its database, windows, built-in `rule` and the `channels` that messages go to.

    Samples older than `retention_seconds` that no window needs are removed; None keeps them all.
    """

    engine: Engine
    catalogues: CatalogueCache
    period_seconds: int
    windows: Windows
    rule: AlertRule
    channels: Sequence[str] = ()
    timer: Callable[[], float] = time.monotonic
    retention_seconds: int | None = None
    scopes: Scopes = field(default_factory=Scopes)
    failures: Failures = field(default_factory=Failures)


@dataclass(frozen=True, slots=True)
class TickReport:
    """The results of a tick."""

    state: TickState
    fired: tuple[NewAlert, ...]
    set_aside: SetAside | None = None
    """What was stored by a clock that proved to have been ahead."""


def tick(
    plan: Plan, fetcher: Fetcher, minute: datetime, late: timedelta, owner: str | None = None
) -> TickReport | None:
    """Carry out the tick of the period `minute`, which began `late` ago.

    None when there is nothing to do: the period's tick is stored already, or no metric is tracked. `owner` must hold
    the lease in the same commit. Raises LeaseLost, StoreUnavailable; then nothing was stored.
    """
    started = plan.timer()
    markets = markets_to_ask(plan, minute)
    if not markets:
        return None
    answers = fetcher.fetch(markets, minute)
    return close(plan, answers, minute, late, owner, (plan.timer() - started) * 1e3)


def markets_to_ask(plan: Plan, minute: datetime) -> list[str]:
    """The exchanges whose prices the tick of `minute` needs; none when that tick is stored already. Raises
    StoreUnavailable."""
    now = to_epoch(minute)
    with writing(plan.engine) as connection:  # a database that cannot be written must fail before any exchange is asked
        last = snapshots.version(connection).minute
        sets_aside = is_due(connection, last, now, plan.period_seconds)  # and with it any tick of this period
        if not sets_aside and (ticks.happened(connection, now) or _is_refused(plan, last, now)):
            return []
        return list(plan.catalogues.current(connection).rows)


def _is_refused(plan: Plan, last: int | None, now: int) -> bool:
    """Whether the tick of `now` cannot follow the `last` one."""
    if last is None or last < now:
        return False
    refused, stored = (from_epoch(second) for second in (now, last))
    text = f"tick {refused} is not stored, for {stored} is already: the clock was set back, or clocks differ"
    plan.failures.failed(CLOCK, text, reason=last)
    return True


def close(
    plan: Plan, answers: Sequence[FetchResult], minute: datetime, late: timedelta, owner: str | None, fetch_ms: float
) -> TickReport | None:
    """Store, rank and alert in one commit: the tick of `minute`, from the `answers` that took `fetch_ms` to arrive.

    None where that tick, or a later one, is stored already. Raises LeaseLost, StoreUnavailable; then nothing was
    stored.
    """
    started = plan.timer()
    now = to_epoch(minute)
    with writing(plan.engine, MAINTENANCE_TIMEOUTS) as connection:
        snapshots.raise_revision(connection)
        if owner is not None:
            leases.require(connection, owner)
        before, aside = snapshots.load(connection), None
        if is_due(connection, before.minute, now, plan.period_seconds):
            before, aside = set_aside(connection, before, now, plan.period_seconds)
        elif _is_refused(plan, before.minute, now):
            return None
        catalogue = plan.catalogues.current(connection)
        arrivals = select_tracked(answers, catalogue)
        context = TickContext(connection, now, plan.period_seconds, before, catalogue, arrivals)
        fired = _carry_out(plan, context, answers)
        state = TickState(
            minute=minute,
            late_ms=late.total_seconds() * 1e3,
            fetch_ms=fetch_ms,
            commit_ms=(plan.timer() - started) * 1e3,
            stored=len(arrivals.places),
            rejected=len(arrivals.refused),
            missed=0 if before.minute is None else (now - before.minute) // plan.period_seconds - 1,
            failed=tuple(answer.market for answer in answers if answer.quotes is None),
        )
        ticks.record(connection, state)
    report = TickReport(state, fired, aside)
    plan.failures.ended(CLOCK, "ticks are stored again")
    _log(report, (plan.timer() - started) * 1e3, plan.failures)
    return report


def _carry_out(plan: Plan, context: TickContext, answers: Sequence[FetchResult]) -> tuple[NewAlert, ...]:
    """The stages after the fetch; returns the alerts that begin."""
    store(context)
    stalled = record_health(context, answers)
    statistics = rank(context, plan.windows)
    fired = alert(context, statistics, stalled, plan.rule, plan.scopes, plan.channels)
    snapshots.save(context.connection, context.minute, plan.windows, statistics)
    return fired


def _log(report: TickReport, whole_ms: float, failures: Failures) -> None:
    state, aside = report.state, report.set_aside
    if aside is not None:
        log.warning(
            "tick %s: a clock was ahead, or this one is behind: %d ticks and %d prices from %s to %s are set aside",
            state.minute.strftime("%H:%M:%S"),
            aside.ticks,
            aside.prices,
            aside.first,
            aside.last,
        )
    log.info(
        "tick %s: %d prices, %d rejected, fetched in %.0f ms, stored in %.0f ms",
        state.minute.strftime("%H:%M:%S"),
        state.stored,
        state.rejected,
        state.fetch_ms,
        whole_ms,
    )
    if state.missed > 0:
        text = f"{state.missed} periods before it were missed"
        failures.failed(GAPS, f"tick {state.minute:%H:%M:%S}: {text}", reason=state.missed)
    else:
        failures.ended(GAPS, "none any more")
    for firing in report.fired:
        if firing.rule is not None:
            log.warning("alert: metric %d at %.8g meets rule %d", firing.metric_id, firing.price, firing.rule_id)
            continue
        log.warning(
            "alert: metric %d at %.8g is more than %g x %.8g, the average of %d prices",
            firing.metric_id,
            firing.price,
            firing.factor,
            firing.average,
            firing.samples,
        )
