"""How the tracker itself does: exchanges, ticks, backfill, and the figures it works by."""

from collections.abc import Sequence
from datetime import tzinfo

from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures, ids, notation, parts
from services.market.types import BackfillState, ExchangeState, Profile, Status, Storage, TickState

MOST_TICKS = 30


def page(status: Status, profile: Profile, zone: tzinfo) -> Component:
    """The whole state; `body` and the chart are renewed while the page is open."""
    return html.Div(
        [
            parts.heading("Status", f"Times are {notation.zone_label(zone)}"),
            *([_exposure()] if profile.exposed else []),
            html.Div(body(status, zone), id=ids.STATUS_BODY, className="status-body"),
            parts.card("Tick duration", _tick_chart(status, zone)),
            parts.card("Configuration", _rule(profile)),
        ],
        className="status-page",
    )


def body(status: Status, zone: tzinfo) -> list[Component]:
    """Everything that changes while one looks at it."""
    cards = [parts.card("Exchanges", _exchanges(status.exchanges, zone), className="flush")]
    if status.warnings:
        cards.insert(0, parts.card("Please look at TRACK", html.Ul([html.Li(text) for text in status.warnings])))
    if status.backfills:
        cards.append(parts.card("History", [backfill(state) for state in status.backfills]))
    cards.append(parts.card("Storage", [storage(status.storage, zone), *_shared_cache(status.shared_cache)]))
    cards.append(parts.card("Recent ticks", _ticks(status.ticks, zone), className="flush"))
    return cards


def _exposure() -> Component:
    words = (
        "This server takes requests from other machines and asks nobody for a name: whoever reaches it reads"
        " everything. Set ",
        html.Code("AUTH_USERNAME"),
        " and ",
        html.Code("AUTH_PASSWORD"),
        ", or serve on ",
        html.Code("127.0.0.1"),
        " alone.",
    )
    return parts.card("Open to everybody", html.P([*words], className="is-warning"), role="alert")


def backfill(state: BackfillState) -> Component:
    """One exchange's progress in filling missing history."""
    words = f"{state.done:,} of {state.total:,} requests" + (f", {state.failed:,} failed" if state.failed else "")
    if not state.total:
        words = "nothing is missing"
    return html.Div(
        [
            html.Div(
                [html.Span(state.market, className="strong"), html.Span(words, className="quiet num")],
                className="spread",
            ),
            html.Progress(
                value=str(state.done + state.failed if state.total else 1),
                max=str(state.total or 1),
                className="thin-bar",
                **parts.aria(label=f"History of {state.market}"),
            ),
        ],
        className="backfill",
    )


def storage(state: Storage | None, zone: tzinfo) -> Component:
    """How large the database is, how fast it grows and how far its past is sealed."""
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


def _shared_cache(up: bool | None) -> list[Component]:
    if up is None:
        return []
    words = "Shared cache answering" if up else "Shared cache away: Redis does not answer, the database is read instead"
    return [html.P([html.Span(className=f"dot is-{'good' if up else 'bad'}"), words], className="state")]


def _exchanges(states: Sequence[ExchangeState], zone: tzinfo) -> Component:
    if not states:
        return html.P("None has been asked yet.", className="quiet")
    columns = (
        ("Market", "strong"),
        ("State", ""),
        ("Metrics", "num wide-only"),
        ("Answer time", "num"),
        ("Refused values", "num wide-only"),
        ("Last success", "num wide-only"),
    )
    rows = [
        (
            state.market,
            _condition(state, zone),
            f"{state.metrics:,}",
            notation.milliseconds(state.latency_ms),
            f"{state.rejected:,}",
            notation.stamp(state.last_success, zone),
        )
        for state in states
    ]
    return parts.table(columns, rows, "Exchanges")


def _condition(state: ExchangeState, zone: tzinfo) -> list[Component]:
    if state.failing_since is None:
        answering = html.Span([html.Span(className="dot is-good"), "Answering"], className="state")
        return [answering] if state.note is None else [answering, html.Div(state.note, className="error-text")]
    return [
        html.Span(
            [html.Span(className="dot is-bad"), f"Failing since {notation.stamp(state.failing_since, zone)}"],
            className="state",
        ),
        html.Div(state.error or "no reason given", className="error-text"),
    ]


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
    rows = [
        (
            notation.clock(tick.minute, zone),
            notation.milliseconds(tick.late_ms),
            notation.milliseconds(tick.fetch_ms),
            notation.milliseconds(tick.commit_ms),
            f"{tick.stored:,}",
            f"{tick.rejected:,}",
            html.Span(f"{tick.missed:,}", className="is-warning" if tick.missed else ""),
            html.Span(", ".join(tick.failed), className="error-text"),
        )
        for tick in ticks[:MOST_TICKS]
    ]
    return parts.table(columns, rows, "Recent ticks, newest first")


def _tick_chart(status: Status, zone: tzinfo) -> Component:
    chart = dcc.Graph(
        id=ids.STATUS_CHART,
        figure=figures.tick_figure(status.ticks, zone),
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        style={"height": "100%"},
    )
    return html.Div(chart, className="tick-chart")  # keeps the place while the chart is on its way


def _rule(profile: Profile) -> Component:
    items = (
        ("Sampling period", f"{profile.period_seconds} s"),
        ("Deviation window", f"{profile.window_hours:g} h"),
        ("Alert factor", f"{profile.alert_factor:g}{notation.TIMES}"),
        ("Alert window", f"{profile.alert_window_minutes} min"),
        ("Cool-down", f"{profile.alert_cooldown_minutes} min"),
        ("Fewest samples", f"{profile.alert_min_samples}"),
        ("Version", profile.version),
        ("Data", "Simulated" if profile.simulated else "Live exchanges"),
    )
    return parts.figures([parts.figure(label, value) for label, value in items], className="figure-list is-wide")
