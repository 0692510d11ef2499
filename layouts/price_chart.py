"""The chart of one metric, and the updates of a chart that is already drawn.

Figures are plain dicts. They contain no name from outside, because plotly reads markup in texts. assets/chart.js adds
an update to a chart: only new points are sent, and what the user zoomed, moved or hid stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np

from layouts import notation, price_chart_style, reference_lines
from layouts.axes import UNTIMED, Figure, in_zone, shown, stamps
from layouts.curves import Band, Curve, Values, curve, known, with_gaps
from layouts.points import Points
from layouts.spans import Span
from services.market.alerting.alerts import Alert
from services.market.alerting.rules import AlertRule, built_in
from services.market.candles import ChartHistory
from services.market.ranking import RankedMetric
from services.market.status import Profile
from services.market.times import to_epoch
from services.market.types import Hours, Ints, Series

PRICE, AVERAGE, THRESHOLD, FIRED, BAND, CANDLES, VOLUME, VOLATILITY = range(8)
"""The traces in drawing order. A chart has all of them, empty if they do not apply, so that an update finds each in its
place. The band has the line's colour, because it may lie on it. The thresholds of rules that people wrote come last."""

LINE, CANDLE = "line", "candles"
KINDS = {LINE: "Line", CANDLE: "Candles"}

NEARNESS = 1.0
"""The threshold is shown at first if its distance to the prices is at most this many times their range."""


@dataclass(frozen=True, slots=True)
class View:
    """The view of a chart: its metric, span, type and time zone."""

    metric_id: int
    span: Span
    kind: str
    zone: tzinfo

    @property
    def name(self) -> str:
        return f"{self.metric_id} {self.span.key} {self.kind} {notation.zone_label(self.zone)}"


@dataclass(frozen=True, slots=True)
class Subject:
    """The metric of a chart at one revision: its line of the ranking, its alerts, and the rules that compare its price
    with a multiple of its average, besides the built-in one."""

    row: RankedMetric
    alerts: Sequence[Alert]
    profile: Profile
    revision: int
    rules: Sequence[AlertRule] = ()

    @property
    def drawn_rules(self) -> Sequence[AlertRule]:
        return self.rules[: len(price_chart_style.DASHES)]


def price_figure(chart: ChartHistory, view: View, subject: Subject, threshold: bool) -> Figure:
    """One metric's prices above its volumes and its rolling volatility.

    Among the prices are the last hour's average, the alert threshold and the alerts. Hours are drawn as a line through
    their closes, and a band from their lowest to their highest price. `threshold` shows the alert threshold.
    """
    looks = price_chart_style.traces(chart, subject.row.price, subject.profile.alert_factor, subject.drawn_rules)
    for place in (THRESHOLD, *range(VOLATILITY + 1, len(looks))):
        looks[place]["visible"] = threshold
    points = _points(chart, view, subject)
    traces = [UNTIMED | look | {**one.columns, **one.look} for look, one in zip(looks, points, strict=True)]
    return {"data": traces, "layout": price_chart_style.frame(chart, view.zone) | {"meta": _meta(chart, view, subject)}}


def price_update(chart: ChartHistory, view: View, subject: Subject, drawn: Mapping[str, Any]) -> Figure | None:
    """The update of a chart with this `meta` (`drawn`, see `_meta`); None if it shows another view.

    If points before the running bar differ from those drawn, as after a backfill, the update replaces all points.
    """
    if drawn.get("view") != view.name:
        return None
    meta = _meta(chart, view, subject)
    points = _points(chart, view, subject)
    update: Figure = {"meta": meta}
    if drawn.get("begins") != chart.begins:
        update["layout"] = price_chart_style.annotations(chart, view.zone)
    since, edge, samples = (drawn.get(name) for name in ("since", "edge", "samples"))
    if not (
        isinstance(since, int)
        and isinstance(edge, int)
        and chart.since - chart.window_seconds <= since <= edge <= chart.until
        and chart.samples(since, edge) == samples
        and drawn.get("rules") == meta["rules"]
    ):
        traces = [one.whole() for one in points]
        looks = price_chart_style.traces(chart, subject.row.price, subject.profile.alert_factor, subject.drawn_rules)
        # There may be more rules than are drawn.
        for part, look in zip(traces[VOLATILITY + 1 :], looks[VOLATILITY + 1 :], strict=True):
            part["look"] = UNTIMED | look
        return update | {"from": None, "traces": traces}
    newest = drawn.get("newest")
    settled = edge
    if isinstance(newest, int) and edge <= newest and _recent(chart, edge, newest) == drawn.get("recent"):
        settled = newest
    return update | {"from": edge, "traces": [one.since(settled if one.final else edge) for one in points]}


def threshold_of(row: RankedMetric, profile: Profile) -> float | None:
    """The price above which the built-in rule fires; None if its average is not known yet."""
    return None if row.rule_average is None else profile.alert_factor * row.rule_average


def threshold_is_near(chart: ChartHistory, subject: Subject) -> bool:
    """True if the threshold fits the chart without flattening the prices."""
    history = chart.history
    _, thresholds = reference_lines.threshold(
        chart, built_in(subject.profile), subject.alerts, subject.profile.period_seconds
    )
    lows, highs = (history.low, history.high) if isinstance(history, Hours) else (history.values, history.values)
    top = max((value for value in thresholds if value is not None), default=None)
    if top is None:
        return False
    low, high = float(lows.min()), float(highs.max())
    return top - high <= NEARNESS * (high - low)


def _meta(chart: ChartHistory, view: View, subject: Subject) -> Figure:
    """What a chart shows and the data it rests on. The browser sends it back, so that updates have only new points."""
    newest = chart.newest()
    return {
        "view": view.name,
        "since": chart.since,
        "edge": chart.edge,
        "samples": chart.samples(chart.since, chart.edge),
        "newest": newest,
        "recent": _recent(chart, chart.edge, newest),
        "rules": [f"{rule.id} {rule.condition}" for rule in subject.drawn_rules],
        "revision": subject.revision,
        "begins": chart.begins,
        "shown": shown(chart.since, chart.until, chart.bars.seconds),
        **in_zone(view.zone),
    }


def _recent(chart: ChartHistory, edge: int, newest: int | None) -> float | None:
    """The sum of the running bar's prices, which shows whether they are those that were drawn; None for hours."""
    history = chart.history
    if isinstance(history, Hours) or newest is None:
        return None
    return float(history.values[(history.times > edge) & (history.times <= newest)].sum())


def _points(chart: ChartHistory, view: View, subject: Subject) -> list[Points]:
    """The points of each trace, from PRICE to VOLATILITY, then of each rule."""
    row, period = subject.row, subject.profile.period_seconds
    digits = notation.decimals(row.price or 1.0)
    hourly = isinstance(chart.history, Hours)
    line = curve(chart.history, period, row.updated_at)
    ends = line.times[[0, -1]] if len(line.times) else line.times
    marked = [alert for alert in subject.alerts if len(ends) and ends[0] <= alert.fired_at.timestamp() <= ends[1]][::-1]
    fired = np.array([to_epoch(alert.fired_at) for alert in marked], dtype=np.int64)
    thresholds = [
        _level(reference_lines.threshold(chart, rule, marked, period), hourly)
        for rule in (built_in(subject.profile), *subject.drawn_rules)
    ]
    as_line = view.kind == LINE
    return [
        _line(line if as_line else Curve(line.times[:0], [], [], []), digits, hourly),
        _level(reference_lines.hour_average(chart), hourly),
        thresholds[0],
        Points(
            {
                "x": stamps(fired),
                "y": [alert.price for alert in marked],
                "text": [notation.sentence(alert) for alert in marked],
                "customdata": [notation.stamp(alert.fired_at, view.zone) for alert in marked],
            },
            look={"showlegend": bool(marked)},
        ),
        _band(line.bands if as_line else [], digits + 2, {"showlegend": hourly and as_line}),
        _candles(chart, not as_line),
        Points(
            {"x": stamps(chart.bars.middles), "y": known(chart.bars.volume.tolist())},
            times=chart.bars.middles,
        ),
        _volatility(chart),
        *thresholds[1:],
    ]


def _level(drawn: tuple[Ints, Values], hourly: bool) -> Points:
    times, values = drawn
    return Points({"x": stamps(times), "y": values}, times=times, final=not hourly)


def _line(line: Curve, decimals: int, hourly: bool) -> Points:
    columns: dict[str, list[Any]] = {"x": stamps(line.times), "y": line.values}
    if line.ranges:  # each hour's lowest and highest price, with the digits that are shown
        columns["customdata"] = [
            edges and (round(edges[0], decimals), round(edges[1], decimals)) for edges in line.ranges
        ]
    return Points(columns, times=line.times, look={"showlegend": bool(len(line.times))}, final=not hourly)


def _candles(chart: ChartHistory, shown: bool) -> Points:
    bars = chart.bars if shown else chart.bars.where(np.zeros(len(chart.bars.starts), dtype=np.bool_))
    columns: dict[str, list[Any]] = {"x": stamps(bars.middles)}
    for name in ("open", "high", "low", "close"):
        columns[name] = getattr(bars, name).tolist()
    return Points(columns, times=bars.middles, look={"showlegend": shown})


def _band(bands: Sequence[Band], decimals: int, look: Mapping[str, Any]) -> Points:
    """Rings: along the highest prices of each band, and back along its lowest."""
    x: list[str | None] = []
    y: list[float | None] = []
    rings: list[int] = []
    for band in bands:
        rings.append(len(x))
        around = stamps(band.times)
        x += [*around, *reversed(around), None]
        y += [*np.round(band.high, decimals).tolist(), *np.round(band.low[::-1], decimals).tolist(), None]
    ends = np.array([band.times[-1] for band in bands], dtype=np.int64)
    return Points({"x": x, "y": y}, times=ends, rings=rings, look=look)


def _volatility(chart: ChartHistory) -> Points:
    """The rolling volatility in per cent."""
    widths = np.full(len(chart.volatility_at), chart.bars.seconds, dtype=np.int64)
    times, values = with_gaps(Series(chart.volatility_at, np.round(chart.volatility * 100, 6), widths), 0)
    return Points({"x": stamps(times), "y": known(values)}, times=times)
