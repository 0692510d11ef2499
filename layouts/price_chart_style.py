"""The look of a metric's chart: its traces, panels and captions."""

from collections.abc import Sequence
from datetime import tzinfo

from layouts import history_start, notation, theme
from layouts.axes import TIME, TIMED, Figure, axis, crosshair, layout, shown, spanning, time_axis
from services.market.alerting.rules import AlertRule, TimesAverage
from services.market.candles import ChartHistory
from services.market.times import span_text
from services.market.types import Hours, Series

DASHES = ("dashdot", "longdash", "longdashdot", "5px,2px")
"""The dashes of the rules' thresholds; there are as many as are drawn."""

LINE: Figure = {"type": "scatter", "mode": "lines", "connectgaps": False}

DENSE, VERY_DENSE = 200, 2_000  # hours

PANELS = {"yaxis": [0.37, 1.0], "yaxis2": [0.195, 0.315], "yaxis3": [0.0, 0.14]}
"""The panels of prices, volumes and volatility, as shares of the height."""


def traces(chart: ChartHistory, price: float | None, alert_factor: float, rules: Sequence[AlertRule]) -> list[Figure]:
    """The look of each trace, in drawing order, the thresholds of `rules` last."""
    hourly = isinstance(chart.history, Hours)
    digits = f",.{notation.decimals(price or 1.0)}f"
    value = f"<b>%{{y:{digits}}}</b>"
    range_of_hour = f"<br>%{{customdata[0]:{digits}}} to %{{customdata[1]:{digits}}}" if hourly else ""
    return [
        LINE
        | {
            "name": "Hourly close" if hourly else "Price",
            "legendrank": 1,
            "line": {"color": theme.ACCENT, "width": _weight(chart.history)},
            "hovertemplate": f"{TIME}{value}{range_of_hour}<extra></extra>",
        }
        | TIMED,
        LINE
        | {
            "name": "1 h average",
            "line": {"color": theme.MUTED, "width": 1.6, "dash": "dash"},
            "hovertemplate": f"Average of the hour before {value}<extra></extra>",
        },
        LINE
        | {
            "name": f"Alert above {alert_factor:g}{notation.TIMES}",
            "line": {"color": theme.ALERT, "width": 1.6, "dash": "dot"},
            "hovertemplate": f"Alert threshold {value}<extra></extra>",
            "meta": {"level": True},
        },
        LINE
        | {
            "name": "Alert",
            "mode": "markers",
            "cliponaxis": False,
            "marker": {
                "symbol": "triangle-down",
                "size": 13,
                "color": theme.ALERT,
                "line": {"width": 1, "color": "#fff"},
            },
            "hovertemplate": f"%{{customdata}}<br>{value}<br>%{{text}}<extra></extra>",
        },
        LINE
        | {
            "name": "Low to high",
            "legendrank": 2,
            "mode": "none",
            "fill": "toself",
            "fillcolor": theme.BAND,
            "hoverinfo": "skip",
        },
        *_bars_and_volatility(chart, digits),
        *(_rule_trace(rule, dash, value) for rule, dash in zip(rules, DASHES, strict=False)),
    ]


def _bars_and_volatility(chart: ChartHistory, digits: str) -> list[Figure]:
    """The candles, and the traces of the two lower panels."""
    ohlc = "<br>".join(f"{name} <b>%{{{name}:{digits}}}</b>" for name in ("open", "high", "low", "close"))
    return [
        {
            "type": "candlestick",
            "name": f"Candles of {span_text(chart.bars.seconds)}",
            "increasing": {"line": {"color": theme.UP, "width": 1.2}, "fillcolor": theme.UP},
            "decreasing": {"line": {"color": theme.DOWN, "width": 1.2}, "fillcolor": theme.DOWN},
            "whiskerwidth": 0,
            "hovertemplate": f"{TIME}{ohlc}<extra></extra>",
        }
        | TIMED,
        {
            "type": "bar",
            "name": "24 h volume",
            "yaxis": "y2",
            "marker": {"color": theme.MUTED, "line": {"width": 0}},
            "opacity": 0.55,
            "width": chart.bars.seconds * 800,  # milliseconds: four fifths of the room
            "hovertemplate": "24 h volume <b>%{y:,.4~s}</b><extra></extra>",
            "showlegend": False,
        },
        LINE
        | {
            "name": "Volatility",
            "yaxis": "y3",
            "line": {"color": theme.ACCENT, "width": 1.5},
            "hovertemplate": f"Volatility of {span_text(chart.window_seconds)} <b>%{{y:.3~f}} %</b><extra></extra>",
            "showlegend": False,
        },
    ]


def _rule_trace(rule: AlertRule, dash: str, value: str) -> Figure:
    return LINE | {
        "name": _rule_name(rule),
        "line": {"color": theme.ALERT, "width": 1.2, "dash": dash},
        "hovertemplate": f"{_rule_name(rule)} {value}<extra></extra>",
        "meta": {"level": True},
    }


def frame(chart: ChartHistory, zone: tzinfo) -> Figure:
    """The axes of the three panels, and their captions."""
    side = axis() | {"side": "right", "exponentformat": "none", "fixedrange": False}
    return layout() | {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        "hovermode": "x",
        "hoversubplots": "axis",
        "spikedistance": -1,
        "dragmode": "zoom",
        "bargap": 0,
        "xaxis": time_axis()
        | spanning(*shown(chart.since, chart.until, chart.bars.seconds))
        | crosshair()
        | {
            "anchor": "y3",
            "rangeslider": {"visible": False},  # a candlestick adds one
            "title": {"text": f"Time ({notation.zone_label(zone)})", "standoff": 12},
        },
        "yaxis": side | crosshair() | {"separatethousands": True, "domain": PANELS["yaxis"]},
        "yaxis2": side | {"domain": PANELS["yaxis2"], "rangemode": "tozero", "tickformat": ".3~s", "nticks": 3},
        "yaxis3": side | {"domain": PANELS["yaxis3"], "rangemode": "tozero", "ticksuffix": " %", "nticks": 3},
        **annotations(chart, zone),
        "margin": {"l": 12, "r": 12, "t": 36, "b": 48},
    }


def annotations(chart: ChartHistory, zone: tzinfo) -> Figure:
    """The captions of the panels, and a line where history begins."""
    captions = {
        "yaxis2": "24 h volume",
        "yaxis3": f"Volatility: standard deviation / mean of {span_text(chart.window_seconds)}",
    }
    written = [
        {
            "text": text,
            "xref": "paper",
            "yref": "paper",
            "x": 0,
            "y": PANELS[panel][1],
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 11},
        }
        for panel, text in captions.items()
    ]
    begun = history_start.start_lines(
        [] if chart.begins is None else [(chart.begins, "History")], chart.since, chart.until, zone
    )
    return {"shapes": begun["shapes"], "annotations": written + begun["annotations"]}


def _rule_name(rule: AlertRule) -> str:
    condition = rule.condition
    assert isinstance(condition, TimesAverage)
    return f"Rule {condition.direction} {condition.factor:g}{notation.TIMES} of {span_text(condition.window_seconds)}"


def _weight(history: Series | Hours) -> float:
    """Width of the line in pixels: finer with more hours, so that they do not fill the chart."""
    if isinstance(history, Series) or len(history.starts) <= DENSE:
        return 1.8
    return 1.4 if len(history.starts) <= VERY_DENSE else 0.9
