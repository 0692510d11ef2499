"""The notice at the top of a metric's page if its price is stale or its window is not full: since when, and why."""

from datetime import datetime, tzinfo

from dash import html
from dash.development.base_component import Component

from layouts import notation, parts
from services.market.ranking import RankedMetric
from services.market.status import Profile, Status


def notice(row: RankedMetric, state: Status, now: datetime, profile: Profile, zone: tzinfo) -> list[Component]:
    """Empty if the price is current at `now` and the window is full."""
    lines = []
    if row.stale:
        lines.append(html.P([html.Strong(_how_old(row, now)), f": {_why(row, state, now, zone)}."]))
        if row.updated_at is not None:
            then = notation.clock_or_stamp(row.updated_at, now, zone)
            lines.append(html.P(f"Price, changes and volume are as of {then}."))
    if is_partial(row, profile):
        known = notation.window(row.coverage, profile.window_hours)
        lines.append(html.P(f"Its statistics cover {known}{_filling(row, state)}."))
    if not lines:
        return []
    look = "notice-box is-warning" if row.stale else "notice-box"
    return [html.Div([parts.icon("pulse"), html.Div(lines)], className=look)]


def is_partial(row: RankedMetric, profile: Profile) -> bool:
    """True if there are prices, but not for the whole window."""
    return row.samples > 0 and row.coverage < profile.full_coverage


def _how_old(row: RankedMetric, now: datetime) -> str:
    return "No price yet" if row.updated_at is None else f"This price is {notation.age(row.updated_at, now)}"


def _why(row: RankedMetric, state: Status, now: datetime, zone: tzinfo) -> str:
    if not row.active:
        why = parts.STATE_MEANINGS.get(row.reason or "", "it is not traded")
        return why[0].lower() + why[1:]
    if state.stale:
        since = "" if state.minute is None else f" since {notation.clock_or_stamp(state.minute, now, zone)}"
        return f"nothing has been stored{since}"
    exchange = next((one for one in state.exchanges if one.market == row.market), None)
    if exchange is None or exchange.failing_since is None:
        note = None if exchange is None else exchange.note
        return f"{row.market} answers without a price for this pair{_in_brackets(note)}"
    since = notation.clock_or_stamp(exchange.failing_since, now, zone)
    return f"{row.market} has not answered since {since}{_in_brackets(exchange.error)}"


def _in_brackets(text: str | None) -> str:
    return f" ({text})" if text else ""


def _filling(row: RankedMetric, state: Status) -> str:
    running = any(one.market == row.market and one.running for one in state.backfills)
    return "; the backfill is running" if running else ""
