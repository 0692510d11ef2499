"""How the tracker itself does: exchanges, ticks, backfill, what came and went, and the settings it works by."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures, ids, markup, notation, parts
from layouts.axes import Figure
from layouts.markup import Markup
from services.market.status import (
    BackfillState,
    Day,
    ExchangeState,
    Profile,
    SetAside,
    Status,
    Storage,
    TickDay,
    TickState,
)
from services.market.types import Metric

MAX_TICKS = 30
MAX_LISTED = 12


def page(status: Status, day: Day, profile: Profile, zone: tzinfo) -> Component:
    """The whole state. Its charts, and what the functions beside this one give, are renewed while the page is open."""
    ticks, sizes = charts(day, zone)
    return html.Div(
        [
            dcc.Store(id=ids.STATUS_DRAWN, data=[markup.digest_of(ticks), markup.digest_of(sizes)]),
            parts.heading("Status", html.Span(lead(zone), id=ids.STATUS_ZONE)),
            *([_exposure()] if profile.exposed else []),
            Markup(overview(status, day, zone), id=ids.STATUS_OVERVIEW, className="status-part"),
            parts.card("Ticks of the last 24 hours", _chart("tick-chart", ticks, id=ids.STATUS_CHART)),
            html.Div(
                [
                    Markup(work(status), id=ids.STATUS_WORK, className="status-card"),
                    parts.card(
                        "Storage",
                        [
                            Markup(storage(status, zone), id=ids.STATUS_STORAGE),
                            html.Div(growth(sizes), id=ids.STATUS_SIZES),
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
    """The figures at a glance, what asks to be looked at, and the exchanges."""
    cards = [_glance(status, day.ticks), parts.card("Exchanges", _exchanges(status.exchanges, zone), className="flush")]
    if status.warnings:
        cards.insert(1, parts.card("Please look at TRACK", html.Ul([html.Li(text) for text in status.warnings])))
    return cards


def work(status: Status) -> Component | None:
    """How far missing history is filled in; nothing where none is."""
    histories = backfills(status)
    return parts.card("History", histories) if histories else None


def recent(status: Status, zone: tzinfo) -> Component:
    """Tick by tick, and which process ticks."""
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
        parts.figure("Missed", f"{missed:,}", "is-warning" if missed else ""),
        parts.figure("With a failure", f"{failed:,}", "is-warning" if failed else ""),
        parts.figure("Longest tick", notation.milliseconds(longest)),
    )
    return parts.figures(items, className="glance", **parts.aria(label="At a glance"))


def listings(day: Day, zone: tzinfo) -> Component:
    """The pairs that exchanges began to list, and those that they ceased to trade."""
    return parts.card("Pairs that came and went in 24 hours", _listings(day, zone))


def _listings(day: Day, zone: tzinfo) -> list[Component]:
    if not day.came and not day.went:
        return [html.P("None. What exchanges begin to list, delist or halt is told here for a day.", className="quiet")]
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
    """Version and settings, told as the environment names them; those that somebody chose stand out."""
    data = "Simulated" if profile.simulated else "Live exchanges"
    columns = (("Setting", "setting-name"), ("Value", "setting-value"), ("", "num quiet wide-only"))
    rows: dict[str, Sequence[parts.Content]] = {"version": ("Version", profile.version, ""), "data": ("Data", data, "")}
    rows |= {
        setting.name: (
            html.Code(setting.name),
            html.Span(setting.value, className="quiet" if setting.is_default else "strong"),
            "default" if setting.is_default else "chosen",
        )
        for setting in profile.settings
    }
    return parts.table(columns, rows, "Version and settings")


def _clock_of(holder: str | None) -> Component:
    """Which process ticks: its owner's name is host, process and a random part."""
    if holder is None:
        return html.Span([html.Span(className="dot is-bad"), "No process has the clock"], className="state quiet")
    host, process, *_ = [*holder.rsplit(":", 2), ""]
    text = f"{host}, process {process}" if process else host
    return html.Span([html.Span(className="dot is-good"), f"Clock: {text}"], className="state quiet")


def _exposure() -> Component:
    text = (
        "This server takes requests from other machines and asks nobody for a name: whoever reaches it reads"
        " everything. Set ",
        html.Code("AUTH_USERNAME"),
        " and ",
        html.Code("AUTH_PASSWORD"),
        ", or serve on ",
        html.Code("127.0.0.1"),
        " alone.",
    )
    return parts.card("Open to everybody", html.P([*text], className="is-warning"), role="alert")


def backfills(status: Status) -> list[Component]:
    """How far the missing history of each exchange is filled in, those included that have never answered."""
    silent = [state.market for state in status.exchanges if state.last_success is None]
    told = {state.market: state for state in status.backfills if state.total}
    rows = [backfill(state, is_silent=state.market in silent) for state in told.values()]
    return rows + [_history(market, "waits for its first answer", 0, 1) for market in silent if market not in told]


def backfill(state: BackfillState, *, is_silent: bool = False) -> Component:
    """One exchange's progress in filling missing history; `is_silent` where it has never told a price."""
    text = f"{state.done:,} of {state.total:,} requests" + (f", {state.failed:,} failed" if state.failed else "")
    if is_silent and not state.done:
        text = f"waits for its first answer, {state.total:,} requests to come"
    return _history(state.market, text, state.done, state.total)


def _history(market: str, text: str, done: int, total: int) -> Component:
    """What failed leaves its part of the bar empty."""
    return html.Div(
        [
            html.Div(
                [html.Span(market, className="strong"), html.Span(text, className="quiet num")],
                className="spread",
            ),
            html.Progress(
                value=str(done), max=str(total), className="thin-bar", **parts.aria(label=f"History of {market}")
            ),
        ],
        className="backfill",
    )


def storage(status: Status, zone: tzinfo) -> list[Component]:
    """How large the database is, how fast it grows and how far its past is sealed; and the cache, if there is one."""
    return [
        *_cannot_write(status.cannot_write),
        _database(status.storage, zone),
        *_shared_cache(status.shared_cache),
        *_set_aside(status.set_aside, zone),
        *_kept_longer(status.storage, zone),
    ]


def _cannot_write(why: str | None) -> list[Component]:
    if why is None:
        return []
    text = f"Nothing can be written, and no tick is stored: {why}"
    return [html.P([html.Span(className="dot is-bad"), text], className="state", role="alert")]


def _kept_longer(state: Storage | None, zone: tzinfo) -> list[Component]:
    if state is None or state.retained_since is None:
        return []
    text = (
        f"Samples since {notation.stamp(state.retained_since, zone)} are kept longer than RETENTION_DAYS: time"
        " without ticks does not count, for a clock that jumped cannot be told from an outage"
    )
    return [html.P([html.Span(className="dot"), text], className="state")]


def _set_aside(aside: SetAside | None, zone: tzinfo) -> list[Component]:
    if aside is None:
        return []
    text = (
        f"A clock was ahead: {aside.ticks:,} ticks and {aside.prices:,} prices, dated"
        f" {notation.stamp(aside.first, zone)} to {notation.stamp(aside.last, zone)}, were set aside at"
        f" {notation.stamp(aside.at, zone)} and count nowhere"
    )
    return [html.P([html.Span(className="dot is-bad"), text], className="state")]


def _database(state: Storage | None, zone: tzinfo) -> Component:
    if state is None:
        return html.P("Not measured yet.", className="quiet")
    growth = "not known yet" if state.growth_bytes is None else notation.size(state.growth_bytes)
    sealed = "nothing yet" if state.sealed_until is None else notation.stamp(state.sealed_until, zone)
    items = (
        parts.figure("Database size", notation.size(state.size_bytes)),
        parts.figure("Growth in 24 h", growth),
        parts.figure("Sealed until", sealed, title="What is older is kept packed, to the last price"),
    )
    return parts.figures(items, className="figure-list is-wide")


def charts(day: Day, zone: tzinfo) -> tuple[Figure, Figure | None]:
    """The ticks of the day, and how the database grew: None before there are two sizes to draw a line between."""
    grown = len(day.sizes.times) > 1
    return figures.tick_figure(day.ticks, zone), figures.size_figure(day.sizes, zone) if grown else None


def growth(sizes: Figure | None) -> list[Component]:
    """The second of the charts, with its title."""
    if sizes is None:
        return []
    return [html.H3("Size by the hour", className="card-subtitle"), _chart("size-chart", sizes)]


def _shared_cache(up: bool | None) -> list[Component]:
    if up is None:
        return []
    text = "Shared cache answering" if up else "Shared cache away: Redis does not answer, the database is read instead"
    return [html.P([html.Span(className=f"dot is-{'good' if up else 'bad'}"), text], className="state")]


def _exchanges(states: Sequence[ExchangeState], zone: tzinfo) -> Component:
    if not states:
        return html.P("None has been asked yet.", className="quiet")
    columns = (
        ("Market", "strong"),
        ("State", ""),
        ("Metrics", "num wide-only"),
        ("Last success", "num wide-only"),
        ("Answer time", "num"),
        ("Permits", "num wide-only"),
        ("Refused values", "num wide-only"),
    )
    rows = {
        state.market: (
            state.market,
            _condition(state, zone),
            f"{state.metrics:,}",
            notation.stamp(state.last_success, zone),
            notation.milliseconds(state.latency_ms),
            _permitted(state.permitted),
            f"{state.rejected:,}",
        )
        for state in states
    }
    return parts.table(columns, rows, "Exchanges")


def _permitted(requests_a_second: float | None) -> str:
    return notation.UNKNOWN if requests_a_second is None else f"{requests_a_second:.3g} a second"


def _condition(state: ExchangeState, zone: tzinfo) -> list[Component]:
    if state.failing_since is not None:
        failing = f"Failing since {notation.stamp(state.failing_since, zone)}"
        return [
            html.Span([html.Span(className="dot is-bad"), failing], className="state"),
            html.Div(state.error or "no reason given", className="error-text"),
        ]
    told: list[Component] = [html.Span([html.Span(className="dot is-good"), "Answering"], className="state")]
    if state.note is not None:
        told.append(html.Div(state.note, className="error-text"))
    if state.failed_at is not None:
        last = f"Last error {notation.stamp(state.failed_at, zone)}: {state.error or 'no reason given'}"
        told.append(html.Div(last, className="last-error"))
    return told


def _ticks(ticks: Sequence[TickState], zone: tzinfo) -> Component:
    if not ticks:
        return html.P("None yet.", className="quiet")
    columns = (
        ("Period", "nowrap strong"),
        ("Late", "num wide-only"),
        ("Fetch", "num"),
        ("Store", "num"),
        ("Stored", "num"),
        ("Refused", "num wide-only"),
        ("Missed before", "num wide-only"),
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


def _chart(place: str, figure: Figure, **attributes: Any) -> Component:
    chart = dcc.Graph(
        figure=figure,
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        style={"height": "100%"},
        **attributes,
    )
    return html.Div(chart, className=place)  # keeps the place while the chart is on its way
