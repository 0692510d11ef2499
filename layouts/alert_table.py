"""One page of the alert history: each alert with its figures, state and actions; and the muted metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from dash import dcc, html
from dash.development.base_component import Component

from layouts import notation, parts
from layouts.alert_query import PAGE_ROWS, Filters
from services.market.alerting.alerts import Alert, Mute
from services.market.alerting.messages import END_REASONS
from services.market.ranking import RankedMetric
from services.market.times import DAY, HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of the `total` alerts that pass the filters, of which `unacknowledged` are not acknowledged. `rules` has
    the names of all rules that have fired (None: the built-in one), `muted` the metrics that are muted now."""

    filters: Filters
    alerts: Sequence[Alert]
    total: int
    unacknowledged: int
    rules: Mapping[int, str | None]
    muted: Sequence[tuple[Mute, RankedMetric]] = ()

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_ROWS))


def body(shown: Shown, zone: tzinfo) -> list[Component | None]:
    """The muted metrics, and the table with its pager, or why it is empty."""
    return [_muted(shown.muted, zone), *_table(shown, zone)]


def _table(shown: Shown, zone: tzinfo) -> list[Component]:
    if not shown.alerts:
        return [parts.card(None, _nothing(shown.filters))]
    columns = (
        (f"Fired ({notation.zone_label(zone)})", "history-time"),
        ("Metric", "history-metric"),
        ("Rule", "history-rule"),
        ("Figures", "history-figures"),
        ("State", "history-state"),
        ("", "history-actions"),
    )
    rows = {
        f"alert-{alert.id}": (
            _moment(alert.fired_at, zone),
            _metric(alert),
            _rule(alert),
            figures(alert),
            _state(alert, zone),
            _actions(alert),
        )
        for alert in shown.alerts
    }
    table = parts.table(columns, rows, "Alerts, newest first")
    return [parts.card(None, table, className="flush history-card"), _pager(shown)]


def _nothing(filters: Filters) -> Component:
    if filters.any:
        text = "No alert passes these filters. Clear shows all of them."
        return parts.empty("search", "Nothing to show", html.P(text))
    text = "An alert is recorded here with its figures, and shown on every page until somebody acknowledges it."
    return parts.empty("bell", "No alert has fired yet", html.P(text))


def _moment(moment: datetime, zone: tzinfo) -> Component:
    local = moment.astimezone(zone)
    day = html.Span(f"{local.day} {local:%b %Y}", className="history-day")
    return html.Div([html.Span(notation.clock(moment, zone), className="num strong"), day], className="two-lines")


def _metric(alert: Alert) -> Component:
    link = dcc.Link(str(alert.pair), href=parts.metric_path(alert.metric_id), className="strong")
    return html.Div([link, html.Span(alert.market, className="market")], className="two-lines")


def _rule(alert: Alert) -> Component:
    text = alert.condition
    if text is None and alert.factor is not None:
        text = f"price is above {alert.factor:g} times its average"
    return html.Div([html.Span(notation.rule_name(alert)), html.Span(text, className="market")], className="two-lines")


def figures(alert: Alert) -> Component:
    """The value that met the condition, and what it was compared with."""
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
    """The `value` of a quantity that rules watch, with its unit."""
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
    if alert.no_data_since is not None:
        lasts = f"since {notation.stamp(alert.no_data_since, zone)}"
    elif alert.resolved_at is None:
        lasts = f"since {notation.clock(alert.fired_at, zone)}"
    else:
        lasts = f"after {lasting(alert.resolved_at - alert.fired_at)}, until {notation.stamp(alert.resolved_at, zone)}"
        if alert.reason is not None:
            lasts += f": {END_REASONS[alert.reason]}"
    if alert.muted:
        chips.append(html.Span("Muted", className="chip"))
    lines: list[Component] = [html.Span(chips, className="history-chips"), html.Span(lasts, className="market")]
    if alert.acknowledged_at is not None:
        who = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        acknowledged = f"Acknowledged {notation.stamp(alert.acknowledged_at, zone)}{who}"
        lines.append(html.Span(acknowledged, className="market history-seen"))
        if alert.note:
            lines.append(html.Q(alert.note, className="history-note"))
    return html.Div(lines, className="two-lines")


def lasting(span: timedelta) -> str:
    """A duration in its two largest units: 40 s, 35 min, 2 h 5 min, 3 d 4 h."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // MINUTE, seconds // HOUR, seconds // DAY
    if days:
        return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min"


def _actions(alert: Alert) -> Component:
    name = f"{alert.pair} on {alert.market}"
    acknowledge = parts.button("Acknowledge", "acknowledge", f"Acknowledge the alert on {name}")
    return html.Div(
        [acknowledge if alert.acknowledged_at is None else None, parts.button("Mute", "mute", f"Mute {name}")],
        className="button-group",
        **parts.data(number=alert.id, metric=alert.metric_id, name=name),
    )


def _pager(shown: Shown) -> Component:
    page = min(shown.filters.page, shown.pages)
    first, last = (page - 1) * PAGE_ROWS + 1, min(shown.total, page * PAGE_ROWS)
    return parts.pager(f"{first:,} to {last:,} of {shown.total:,}", "alerts", page, at_end=page == shown.pages)


def _muted(muted: Sequence[tuple[Mute, RankedMetric]], zone: tzinfo) -> Component | None:
    """The muted metrics, each with an Unmute button."""
    if not muted:
        return None
    lines = []
    for mute, metric in muted:
        name = f"{metric.pair} on {metric.market}"
        until = "until it resolves" if mute.until is None else f"until {notation.stamp(mute.until, zone)}"
        of_rule = "" if mute.rule_id is None else " for one rule"
        text = f"muted{of_rule} {until}" + (f": {mute.note}" if mute.note else "")
        lines.append(
            html.Li(
                [
                    html.Span(
                        [parts.metric_link(metric.id, name), html.Span(text, className="quiet")],
                        className="muted-text",
                    ),
                    parts.button("Unmute", "unmute", f"Unmute {name}", **parts.data(number=mute.id)),
                ],
                key=f"mute-{mute.id}",
            )
        )
    return parts.card("Muted metrics", html.Ul(lines, className="muted-list"), className="muted-card")
