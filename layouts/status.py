"""The status page: exchanges, ticks, backfill, storage, listings and settings."""

from collections.abc import Sequence
from datetime import datetime, tzinfo

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, markup, notation, parts, status_history, status_storage
from layouts.markup import Markup
from services.market.status import (
    Day,
    ExchangeState,
    Profile,
    Status,
    TickDay,
    TickState,
)
from services.market.types import Metric

MAX_TICKS = 30
MAX_LISTED = 12


def page(status: Status, day: Day, profile: Profile, zone: tzinfo) -> Component:
    """The whole page. Its parts are updated while it is open, see callbacks/status.py."""
    ticks, sizes = status_storage.charts(day, zone)
    return html.Div(
        [
            dcc.Store(id=ids.STATUS_DRAWN, data=[markup.digest_of(ticks), markup.digest_of(sizes)]),
            parts.heading("Status", html.Span(lead(zone), id=ids.STATUS_ZONE)),
            *([_exposure()] if profile.exposed else []),
            Markup(overview(status, day, zone), id=ids.STATUS_OVERVIEW, className="status-part"),
            parts.card("Ticks of the last 24 hours", parts.chart_frame("tick-chart", ticks, id=ids.STATUS_CHART)),
            html.Div(
                [
                    Markup(status_history.card(status), id=ids.STATUS_WORK, className="status-card"),
                    parts.card(
                        "Storage",
                        [
                            Markup(status_storage.storage(status, zone), id=ids.STATUS_STORAGE),
                            html.Div(status_storage.growth(sizes), id=ids.STATUS_SIZES),
                        ],
                    ),
                    Markup(listings(day, zone), id=ids.STATUS_LISTINGS, className="status-card"),
                ],
                className="status-columns",
            ),
            Markup(recent(status, zone), id=ids.STATUS_TICKS),
            parts.card("Settings", Markup(configuration(profile)), className="flush"),
        ],
        className="status-page",
    )


def lead(zone: tzinfo) -> str:
    return f"Times are {notation.zone_label(zone)}"


def overview(status: Status, day: Day, zone: tzinfo) -> list[Component]:
    """The key figures, the warnings and the exchanges."""
    cards = [_glance(status, day.ticks), parts.card("Exchanges", _exchanges(status.exchanges, zone), className="flush")]
    if status.warnings:
        cards.insert(1, parts.card("Check TRACK", html.Ul([html.Li(text) for text in status.warnings])))
    return cards


def recent(status: Status, zone: tzinfo) -> Component:
    """The recent ticks, and the process that ticks."""
    return parts.card("Recent ticks", _ticks(status.ticks, zone), _clock_of(status.holder), className="flush")


def _glance(status: Status, ticks: TickDay) -> Component:
    failing = sum(state.failing_since is not None for state in status.exchanges)
    missed, failed = int(ticks.missed.sum()), int(ticks.failed.sum())
    longest = None if np.isnan(ticks.longest_ms).all() else float(np.nanmax(ticks.longest_ms))
    answering = f"{len(status.exchanges) - failing:,} of {len(status.exchanges):,}"
    items = (
        parts.figure("Exchanges answering", answering, "is-warning" if failing else ""),
        parts.figure("Metrics", f"{sum(state.metrics for state in status.exchanges):,}"),
        parts.figure("Ticks in 24 h", f"{int(ticks.ticks.sum()):,}"),
        parts.figure("Missed ticks", f"{missed:,}", "is-warning" if missed else ""),
        parts.figure("Failed ticks", f"{failed:,}", "is-warning" if failed else ""),
        parts.figure("Longest tick", notation.milliseconds(longest)),
    )
    return parts.figures(items, className="glance", **parts.aria(label="At a glance"))


def listings(day: Day, zone: tzinfo) -> Component:
    """The pairs that exchanges listed, delisted or halted."""
    return parts.card("Listings of the last 24 hours", _listings(day, zone))


def _listings(day: Day, zone: tzinfo) -> list[Component]:
    if not day.came and not day.went:
        return [
            html.P("None. Pairs that an exchange lists, delists or halts are shown here for a day.", className="quiet")
        ]
    came = [_listing(metric, metric.new_at, "new", "is-new", zone) for metric in day.came[:MAX_LISTED]]
    went = [
        _listing(metric, metric.gone_at, metric.reason or "", "is-warning", zone) for metric in day.went[:MAX_LISTED]
    ]
    more = len(day.came) + len(day.went) - len(came) - len(went)
    rest = [html.P(f"and {more:,} more", className="quiet")] if more else []
    return [html.Ul(came + went, className="listings"), *rest]


def _listing(metric: Metric, at: datetime | None, word: str, look: str, zone: tzinfo) -> Component:
    chip = html.Span(word.capitalize(), className=f"chip {look}", title=parts.STATE_MEANINGS.get(word))
    name = html.Span(
        [parts.metric_link(metric.id, str(metric.pair)), " ", html.Span(metric.market, className="market")]
    )
    return html.Li([chip, name, html.Span(notation.stamp(at, zone), className="quiet num")])


def configuration(profile: Profile) -> Component:
    """Version and settings, by their names in the environment; those that are not the default stand out."""
    data = "Simulated" if profile.simulated else "Live exchanges"
    columns = (("Setting", "setting-name"), ("Value", "setting-value"), ("", "num quiet wide-only"))
    rows: dict[str, Sequence[parts.Content]] = {"version": ("Version", profile.version, ""), "data": ("Data", data, "")}
    rows |= {
        setting.name: (
            html.Code(setting.name),
            html.Span(setting.value, className="quiet" if setting.is_default else "strong"),
            "default" if setting.is_default else "set",
        )
        for setting in profile.settings
    }
    return parts.table(columns, rows, "Version and settings")


def _clock_of(holder: str | None) -> Component:
    """The process that ticks; the name of the lease's holder is host, process and a random part."""
    if holder is None:
        return html.Span([html.Span(className="dot is-bad"), "No process has the clock"], className="state quiet")
    host, process, *_ = [*holder.rsplit(":", 2), ""]
    text = f"{host}, process {process}" if process else host
    return html.Span([html.Span(className="dot is-good"), f"Clock: {text}"], className="state quiet")


def _exposure() -> Component:
    text = (
        "This server accepts requests from other machines without authentication. Everybody who can reach it can read"
        " everything. Set ",
        html.Code("AUTH_USERNAME"),
        " and ",
        html.Code("AUTH_PASSWORD"),
        ", or serve on ",
        html.Code("127.0.0.1"),
        " alone.",
    )
    return parts.card("No authentication", html.P([*text], className="is-warning"), role="alert")


def _exchanges(states: Sequence[ExchangeState], zone: tzinfo) -> Component:
    if not states:
        return html.P("No exchange has been asked yet.", className="quiet")
    columns = (
        ("Market", "strong"),
        ("State", ""),
        ("Metrics", "num wide-only"),
        ("Last success", "num wide-only"),
        ("Response time", "num"),
        ("Rate limit", "num wide-only"),
        ("Rejected values", "num wide-only"),
    )
    rows = {
        state.market: (
            state.market,
            _condition(state, zone),
            f"{state.metrics:,}",
            notation.stamp(state.last_success, zone),
            notation.milliseconds(state.latency_ms),
            _rate_limit(state.permitted),
            f"{state.rejected:,}",
        )
        for state in states
    }
    return parts.table(columns, rows, "Exchanges")


def _rate_limit(requests_a_second: float | None) -> str:
    return notation.UNKNOWN if requests_a_second is None else f"{requests_a_second:.3g} a second"


def _condition(state: ExchangeState, zone: tzinfo) -> list[Component]:
    if state.failing_since is not None:
        failing = f"Failing since {notation.stamp(state.failing_since, zone)}"
        return [
            html.Span([html.Span(className="dot is-bad"), failing], className="state"),
            html.Div(state.error or "no reason given", className="error-text"),
        ]
    lines: list[Component] = [html.Span([html.Span(className="dot is-good"), "Answering"], className="state")]
    if state.note is not None:
        lines.append(html.Div(state.note, className="error-text"))
    if state.failed_at is not None:
        last = f"Last error {notation.stamp(state.failed_at, zone)}: {state.error or 'no reason given'}"
        lines.append(html.Div(last, className="last-error"))
    return lines


def _ticks(ticks: Sequence[TickState], zone: tzinfo) -> Component:
    if not ticks:
        return html.P("None yet.", className="quiet")
    columns = (
        ("Period", "nowrap strong"),
        ("Late", "num wide-only"),
        ("Fetch", "num"),
        ("Store", "num"),
        ("Stored", "num"),
        ("Rejected", "num wide-only"),
        ("Missed", "num wide-only"),
        ("Failed", ""),
    )
    rows = {
        tick.minute.isoformat(): (
            notation.clock(tick.minute, zone),
            notation.milliseconds(tick.late_ms),
            notation.milliseconds(tick.fetch_ms),
            notation.milliseconds(tick.commit_ms),
            f"{tick.stored:,}",
            f"{tick.rejected:,}",
            html.Span(f"{tick.missed:,}", className="is-warning" if tick.missed else ""),
            html.Span(", ".join(tick.failed), className="error-text"),
        )
        for tick in ticks[:MAX_TICKS]
    }
    return parts.table(columns, rows, "Recent ticks, newest first")
