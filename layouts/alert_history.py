"""The history of alerts: the figures that led to each, who has seen it, and what can be done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qs, urlencode

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts
from services.market.alert_rules import BUILT_IN, BUILT_IN_NAME
from services.market.errors import TrackerError
from services.market.notes import LONGEST_NOTE
from services.market.types import Alert, AlertQuery, Mute, RankedMetric

PAGE_ROWS = 50
LONGEST_SEARCH = 100
LONGEST_NUMBER = 9
"""Digits of a rule or a page worth asking for."""

Choices = Sequence[tuple[str, str]]

ANY = "any"
"""What a filter that leaves nothing out stands at: an empty value is none to a browser's list."""

STATES: Choices = ((ANY, "Any state"), ("firing", "Firing"), ("resolved", "Resolved"))
SPANS: Choices = (
    (ANY, "Any time"),
    ("1h", "Last hour"),
    ("24h", "Last 24 h"),
    ("7d", "Last 7 d"),
    ("30d", "Last 30 d"),
)
SPAN_LENGTHS = {
    "1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30),
}  # fmt: skip
UNSEEN = "unseen"
UNTIL_RESOLVED = "resolved"
MUTE_LENGTHS: Mapping[str, tuple[str, timedelta | None]] = {
    UNTIL_RESOLVED: ("Until it resolves", None),
    "1h": ("For 1 h", timedelta(hours=1)),
    "8h": ("For 8 h", timedelta(hours=8)),
    "24h": ("For 24 h", timedelta(days=1)),
    "7d": ("For 7 d", timedelta(days=7)),
}
UNTIL_CHOSEN = "chosen"
"""The choice that goes with a time of its own."""

LONGEST_MUTE = timedelta(days=366)


class BadMuteEnd(TrackerError):
    """A time at which no mute can end; the text says what is asked for."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts are shown, as the address tells it; "" and False leave nothing out. Pages count from 1."""

    q: str = ""
    rule: str = ""
    state: str = ""
    span: str = ""
    unseen: bool = False
    page: int = 1

    @property
    def any(self) -> bool:
        return replace(self, page=1) != Filters()


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of the alerts that `filters` choose, of `total`, of which `unseen` nobody has acknowledged. `rules` are
    the names of all that have fired (None: the built-in one), `muted` the metrics that are muted now."""

    filters: Filters
    alerts: Sequence[Alert]
    total: int
    unseen: int
    rules: Mapping[int, str | None]
    muted: Sequence[tuple[Mute, RankedMetric]] = ()

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_ROWS))


def filters_of(given: Mapping[str, Any]) -> Filters:
    """What a browser asks for; what makes no sense is left out."""
    page = str(given.get("page") or "")
    rule = str(given.get("rule") or "")
    return Filters(
        q=str(given.get("q") or "").strip()[:LONGEST_SEARCH],
        rule=rule if _is_number(rule) else "",
        state=_one_of(STATES, given.get("state")),
        span=_one_of(SPANS, given.get("span")),
        unseen=bool(given.get("unseen")),
        page=max(1, int(page)) if _is_number(page) else 1,
    )


def filters_at(search: str) -> Filters:
    """The filters that the query string of an address tells."""
    return filters_of({name: values[-1] for name, values in parse_qs(search.removeprefix("?")).items()})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def _one_of(choices: Choices, wanted: object) -> str:
    return next((value for value, _ in choices if value == wanted != ANY), "")


def mute_end(length: str, chosen: str | None, zone: tzinfo, now: datetime) -> datetime | None:
    """When a mute of this length ends, None for when its alerts have; UNTIL_CHOSEN is at `chosen`, as a browser writes
    a date and time of `zone`. Raises BadMuteEnd."""
    if length != UNTIL_CHOSEN:
        span = MUTE_LENGTHS[length][1]
        return None if span is None else now + span
    try:
        end = datetime.fromisoformat(chosen or "").replace(tzinfo=zone)
    except ValueError:
        raise BadMuteEnd("Choose a date and a time.") from None
    if not now < end <= now + LONGEST_MUTE:
        raise BadMuteEnd("Choose a time that is to come, within a year.")
    return end.astimezone(UTC)


def query_of(filters: Filters, now: datetime) -> AlertQuery:
    """The page of alerts that these filters choose at `now`."""
    return AlertQuery(
        since=None if not filters.span else now - SPAN_LENGTHS[filters.span],
        rule_id=int(filters.rule) if filters.rule else None,
        state=filters.state or None,
        unacknowledged=filters.unseen,
        words=filters.q,
        limit=PAGE_ROWS,
        offset=(filters.page - 1) * PAGE_ROWS,
    )


def section(search: str) -> Component:
    """The controls, set as the query string says; what they choose comes with the first update."""
    filters = filters_at(search)
    return html.Div(
        [
            dcc.Store(id=ids.HISTORY_ASK, data=asdict(filters)),
            dcc.Store(id=ids.HISTORY_SHOWN),
            dcc.Store(id=ids.HISTORY_CHOSEN),
            dcc.Store(id=ids.HISTORY_DONE),
            _toolbar(filters),
            html.Div(parts.skeleton(), id=ids.ALERT_HISTORY),
            _acknowledging(),
            _muting(),
        ],
        className="alert-history",
    )


def rule_choices(rules: Mapping[int, str | None], chosen: str) -> list[dict[str, str]]:
    """The options of the rule filter; one that is chosen is among them although it never fired."""
    named = {str(number): name or BUILT_IN_NAME for number, name in rules.items()}
    if chosen:
        named.setdefault(chosen, f"Rule {chosen}")
    named = dict(sorted(named.items(), key=lambda one: (one[0] != str(BUILT_IN), one[1].lower())))
    return [{"value": ANY, "label": "Any rule"}, *({"value": value, "label": name} for value, name in named.items())]


def csv_path(filters: Filters, now: datetime) -> str:
    """Where the alerts that these filters choose can be had as a file, all pages of them."""
    query = query_of(filters, now)
    values = {
        "format": "csv",
        "limit": "10000",
        "words": query.words,
        "rule": filters.rule,
        "state": filters.state,
        "since": "" if query.since is None else str(int(query.since.timestamp())),
        "unacknowledged": "true" if filters.unseen else "",
    }
    return "/alerts?" + urlencode({name: value for name, value in values.items() if value})


def body(shown: Shown, zone: tzinfo) -> list[Component]:
    """The table with its pages, and what is muted; what to expect where there is nothing."""
    return [_muted(shown.muted, zone), *_table(shown, zone)]


def _table(shown: Shown, zone: tzinfo) -> list[Component]:
    if not shown.alerts:
        return [parts.card(None, _nothing(shown.filters))]
    columns = (
        (f"Fired ({notation.zone_label(zone)})", "history-time"),
        ("Metric", "history-metric"),
        ("Rule", "history-rule"),
        ("What led to it", "history-figures"),
        ("State", "history-state"),
        ("", "history-actions"),
    )
    rows = [
        (
            _moment(alert.fired_at, zone),
            _metric(alert),
            _rule(alert),
            figures(alert),
            _state(alert, zone),
            _actions(alert),
        )
        for alert in shown.alerts
    ]
    table = parts.table(columns, rows, "Alerts, newest first")
    return [parts.card(None, table, className="flush history-card"), _pager(shown)]


def _nothing(filters: Filters) -> Component:
    if filters.any:
        words = "No alert passes these filters. Clear brings all back."
        return parts.empty("search", "Nothing to show", html.P(words))
    words = "When one does, it is kept here with what led to it, and shown on every page until somebody has seen it."
    return parts.empty("bell", "No alert has fired yet", html.P(words))


def _moment(moment: datetime, zone: tzinfo) -> Component:
    local = moment.astimezone(zone)
    day = html.Span(f"{local.day} {local:%b %Y}", className="history-day")
    return html.Div([html.Span(notation.clock(moment, zone), className="num strong"), day], className="two-lines")


def _metric(alert: Alert) -> Component:
    link = dcc.Link(str(alert.pair), href=parts.metric_path(alert.metric_id), className="strong")
    return html.Div([link, html.Span(alert.market, className="market")], className="two-lines")


def _rule(alert: Alert) -> Component:
    words = alert.condition
    if words is None and alert.factor is not None:
        words = f"price above {alert.factor:g} x its average"
    return html.Div([html.Span(notation.rule_name(alert)), html.Span(words, className="market")], className="two-lines")


def figures(alert: Alert) -> Component:
    """The value that was judged, and what it was compared with."""
    value = alert.price if alert.value is None else alert.value
    first: list[str | Component] = [html.Span(amount(alert.quantity, value), className="num strong")]
    compared = alert.average if alert.average is not None else alert.reference
    details = []
    if compared and alert.average is not None:
        first.append(html.Span(notation.multiple(value, compared), className="chip is-alert"))
        details.append(f"average {amount(alert.quantity, compared)}")
    elif compared and alert.quantity != "rank":
        first.append(html.Span(notation.change(value / compared - 1), className="chip is-alert"))
        details.append(f"from {amount(alert.quantity, compared)}")
    if alert.threshold is not None:
        details.append(f"threshold {amount(alert.quantity, alert.threshold)}")
    if alert.samples:
        details.append(f"{alert.samples:,} samples")
    if alert.quantity != "price":
        details.append(f"price {notation.price(alert.price)}")
    return html.Div(
        [html.Span(first, className="history-value"), html.Span(" · ".join(details), className="market num")],
        className="two-lines",
    )


def amount(quantity: str, value: float) -> str:
    """A value of one of the quantities that rules watch."""
    match quantity:
        case "volume":
            return notation.amount(value)
        case "volatility":
            return notation.share(value)
        case "rank":
            return f"rank {value:,.0f}"
        case _:
            return notation.price(value)


def _state(alert: Alert, zone: tzinfo) -> Component:
    chips = [parts.firing_chip(alert)]
    if alert.resolved_at is None:
        lasts = f"since {notation.clock(alert.fired_at, zone)}"
    else:
        lasts = f"after {lasting(alert.resolved_at - alert.fired_at)}, until {notation.stamp(alert.resolved_at, zone)}"
    if alert.muted:
        chips.append(html.Span("Muted", className="chip"))
    lines: list[Component] = [html.Span(chips, className="history-chips"), html.Span(lasts, className="market")]
    if alert.acknowledged_at is not None:
        who = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        seen = f"Acknowledged {notation.stamp(alert.acknowledged_at, zone)}{who}"
        lines.append(html.Span(seen, className="market history-seen"))
        if alert.note:
            lines.append(html.Q(alert.note, className="history-note"))
    return html.Div(lines, className="two-lines")


def lasting(span: timedelta) -> str:
    """A duration in its largest two units: 40 s, 35 min, 2 h 5 min, 3 d 4 h."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min"


def _actions(alert: Alert) -> Component:
    name = f"{alert.pair} on {alert.market}"
    told = {"alert-number": str(alert.id), "alert-metric": str(alert.metric_id), "alert-name": name}
    buttons = [_button("Mute", f"Mute {name}", {"alert-act": "mute", **told})]
    if alert.acknowledged_at is None:
        label = f"Acknowledge the alert on {name}"
        buttons.insert(0, _button("Acknowledge", label, {"alert-act": "acknowledge", **told}))
    return html.Div(buttons, className="history-buttons")


def _button(words: str, label: str, data: Mapping[str, str], disabled: bool = False) -> Component:
    """A button that assets/alert-history.js hears, with what it has to know."""
    known: dict[str, Any] = {f"data-{name}": value for name, value in data.items()}
    aria = parts.aria(label=label)
    return html.Button(words, className="small-button", type="button", disabled=disabled, **known, **aria)


def _pager(shown: Shown) -> Component:
    page = min(shown.filters.page, shown.pages)
    first = (page - 1) * PAGE_ROWS + 1
    words = f"{first:,} to {min(shown.total, page * PAGE_ROWS):,} of {shown.total:,}"

    def turn(name: str, to: int) -> Component:
        return _button(name, f"{name} alerts", {"history-page": str(to)}, disabled=not 1 <= to <= shown.pages)

    return html.Nav(
        [
            html.Span(words, className="quiet num"),
            html.Div([turn("Newer", page - 1), turn("Older", page + 1)], className="history-buttons"),
        ],
        className="pager",
        **parts.aria(label="Pages of alerts"),
    )


def _muted(muted: Sequence[tuple[Mute, RankedMetric]], zone: tzinfo) -> Component:
    """The metrics that are muted, each with a way to end that."""
    if not muted:
        return html.Div(className="is-hidden")
    lines = []
    for mute, metric in muted:
        name = f"{metric.pair} on {metric.market}"
        until = "until it resolves" if mute.until is None else f"until {notation.stamp(mute.until, zone)}"
        of_rule = "" if mute.rule_id is None else " for one rule"
        words = f"muted{of_rule} {until}" + (f": {mute.note}" if mute.note else "")
        lines.append(
            html.Li(
                [
                    html.Span(
                        [parts.metric_link(metric.id, name), html.Span(words, className="quiet")],
                        className="muted-words",
                    ),
                    _button("Unmute", f"Unmute {name}", {"alert-act": "unmute", "alert-number": str(mute.id)}),
                ]
            )
        )
    return parts.card("Muted metrics", html.Ul(lines, className="muted-list"), className="muted-card")


def _toolbar(filters: Filters) -> Component:
    search = html.Div(
        [
            parts.icon("search"),
            html.Label("Search metrics", htmlFor=ids.HISTORY_SEARCH, className="visually-hidden"),
            dbc.Input(
                id=ids.HISTORY_SEARCH,
                value=filters.q,
                type="search",
                debounce=300,
                autocomplete="off",
                maxlength=LONGEST_SEARCH,
                placeholder="Search metrics",
                className="search-field",
            ),
        ],
        className="search-box",
    )
    unseen: Component = dbc.Checklist(
        id=ids.HISTORY_UNSEEN,
        options=[{"label": html.Span("Unacknowledged"), "value": UNSEEN}],
        value=[UNSEEN] if filters.unseen else [],
        className="toggle",
        inputClassName="btn-check",
        labelClassName="toggle-label",
    )
    chosen = [
        search,
        _select(ids.HISTORY_RULE, "Rule", rule_choices({}, filters.rule), filters.rule),
        _select(ids.HISTORY_STATE, "State", _options(STATES), filters.state),
        _select(ids.HISTORY_SPAN, "Time", _options(SPANS), filters.span),
        unseen,
        html.Button("Clear", id=ids.HISTORY_CLEAR, className="text-button", type="button", hidden=not filters.any),
    ]
    tools = [
        html.A([parts.icon("download"), "CSV"], id=ids.HISTORY_CSV, className="tool-button", href="/alerts?format=csv"),
        html.Button(
            "Acknowledge all", id=ids.HISTORY_ALL, className="tool-button history-all", type="button", disabled=True
        ),
    ]
    return html.Div(
        [html.Div(chosen, className="history-filters"), html.Div(tools, className="view-tools")],
        className="toolbar history-toolbar",
        role="group",
        **parts.aria(label="Filters"),
    )


def _options(choices: Choices) -> list[dict[str, str]]:
    return [{"value": value, "label": name} for value, name in choices]


def _select(identity: str, label: str, options: list[dict[str, str]], value: str) -> Component:
    control = dbc.Select(id=identity, options=options, value=value or ANY, size="sm")
    return html.Div([html.Label(label, htmlFor=identity), control], className="tool-select")


def _acknowledging() -> Component:
    return _dialog(
        ids.ACKNOWLEDGE_DIALOG,
        "Acknowledge",
        [
            html.P(id=ids.ACKNOWLEDGE_WORDS),
            _note(ids.ACKNOWLEDGE_NOTE, "What is known about it, for whoever looks next"),
        ],
        ids.ACKNOWLEDGE_DO,
        "Acknowledge",
    )


def _muting() -> Component:
    lengths = [(value, name) for value, (name, _) in MUTE_LENGTHS.items()]
    choices = _options([*lengths, (UNTIL_CHOSEN, "Until a date and time")])
    calendar: dict[str, Any] = {"type": "datetime-local"}  # browsers know it, the component's list of types does not
    return _dialog(
        ids.MUTE_DIALOG,
        "Mute",
        [
            html.P(id=ids.MUTE_WORDS),
            dbc.RadioItems(id=ids.MUTE_LENGTH, options=choices, value=UNTIL_RESOLVED, className="mute-lengths"),
            html.Div(
                [
                    html.Label("Muted until", htmlFor=ids.MUTE_UNTIL, className="visually-hidden"),
                    dbc.Input(id=ids.MUTE_UNTIL, value="", **calendar),
                ],
                className="mute-until",
            ),
            html.P(id=ids.MUTE_REFUSED, className="error-text", role="alert"),
            _note(ids.MUTE_NOTE, "Why"),
        ],
        ids.MUTE_DO,
        "Mute",
    )


def _note(identity: str, hint: str) -> Component:
    area = dbc.Textarea(id=identity, value="", rows=3, maxLength=LONGEST_NOTE, placeholder=hint)
    return html.Div([html.Label("Note", htmlFor=identity), area], className="dialog-note")


def _dialog(identity: str, title: str, content: list[Component], button: str, name: str) -> Component:
    dialog: Component = dbc.Modal(
        [
            dbc.ModalHeader(dbc.ModalTitle(title, id=f"{identity}-title", tag="h2")),
            dbc.ModalBody(content),
            dbc.ModalFooter(html.Button(name, id=button, className="button", type="button")),
        ],
        id=identity,
        labelledby=f"{identity}-title",
        is_open=False,
        centered=True,
        fade=False,  # what moves is missed by a quick click
        className="dialog",
    )
    return dialog
