"""The columns of the ranking. assets/ranking/row.js fills them; shares and changes are in per cent.

`context` tells assets/ranking/widths.js how much room a column needs: its `widest` text, and the class of the element
that holds it, if that is not the cell itself. Columns of names have none; `note` is the longest text below a name.
"""

from typing import Any

from layouts import notation, parts
from services.market.status import Profile

Column = dict[str, Any]

ALWAYS = ("star", "rank", "pair")
"""Columns that cannot be hidden."""


def columns(profile: Profile) -> list[Column]:
    """All columns from left to right; those with `initialHide` are hidden until the user adds them."""
    hours = f"{profile.window_hours:g} h"
    return [*_names(), *_prices(), *_deviations(hours), *_extremes(), *_rest(hours)]


def choices(profile: Profile) -> list[dict[str, str]]:
    """The options of the column menu."""
    offered = [column for column in columns(profile) if column["field"] not in ALWAYS]
    return [{"label": column["headerName"], "value": column["field"]} for column in offered]


def _names() -> list[Column]:
    return [
        {"field": "star", "headerName": "", "cellRenderer": "Star", "cellClass": "star-cell", "flex": 0}
        | {"width": 36, "minWidth": 36, "maxWidth": 36, "sortable": False, "filter": False, "resizable": False}
        | {"valueGetter": {"function": "''"}, "headerTooltip": "Favourites come first in every order"},
        {
            "field": "rank",
            "headerName": "#",
            "flex": 0,
            "context": {"widest": notation.WIDEST["wholeText"]},
            "cellClass": "num rank",
            "initialSort": "asc",
            "headerClass": "ag-right-aligned-header",
            "sortingOrder": ["asc", "desc"],
            "valueFormatter": _format("wholeText"),
            "headerTooltip": "Rank 1 has the largest value",
        },
        {
            "field": "moved",
            "headerName": "Moved",
            "flex": 0,
            "context": {"widest": "\N{BLACK DOWN-POINTING TRIANGLE} 99,999"},
            "cellClass": "num",
            "cellRenderer": "Moved",
            "filter": False,
            "headerClass": "ag-right-aligned-header",
            "headerTooltip": "Change of the rank by standard deviation within an hour",
        },
        {
            "field": "pair",
            "headerName": "Pair",
            "flex": 1.9,
            "context": {"note": "23.9 h of 24 h"},
            "filter": "agTextColumnFilter",
            "sortingOrder": ["asc", "desc", None],
            "cellRenderer": "MetricName",
            "cellRendererParams": {"titles": parts.STATE_MEANINGS},
            # The grid redraws a cell when its value changes, so the value has everything that the cell shows.
            "valueGetter": {"function": "nameValue(params.data)"},
            "filterValueGetter": {"function": "params.data.pair"},
            "getQuickFilterText": {"function": "quickText(params)"},
        },
        {
            "field": "market",
            "headerName": "Market",
            "context": {},
            "filter": "agTextColumnFilter",
            "sortingOrder": ["asc", "desc", None],
            "cellClass": "market",
        },
    ]


def _prices() -> list[Column]:
    # The price alone flashes when it changes, in the colour of its direction.
    flash = {"enableCellChangeFlash": True}
    rules = {"went-up": "params.data.went > 0", "went-down": "params.data.went < 0"}
    look = {"cellClass": "num strong", "cellClassRules": rules, "flex": 1.3}
    return [
        _number("price", "Price", "priceText", "In quote currency", **look, **flash),
        _change("change_1h", "1 h"),
        _change("change_24h", "24 h"),
    ]


def _deviations(hours: str) -> list[Column]:
    deviation = f"Population standard deviation of the prices of the last {hours}, in quote currency"
    relative = "Standard deviation in per cent of the mean, comparable between pairs"
    log_returns = f"Standard deviation of the logarithmic returns of the last {hours}, annualised"
    return [
        _number("stdev", "Std dev", "priceText", deviation, **_PARTIAL),
        _number("volatility", "Volatility %", "shareText", relative, **_PARTIAL),
        _number("log_volatility", "Annualised vol. %", "shareText", log_returns, initialHide=True, **_PARTIAL),
    ]


_PARTIAL: Column = {
    "cellClassRules": {"is-partial": "params.data.partial"},
    "tooltipValueGetter": {"function": "partialTitle(params.data)"},
}
"""Marks a statistic if its window is not full."""


def _extremes() -> list[Column]:
    between = "From the lowest to the highest price of the last"
    return [
        _number("range_1h", "1 h range %", "shareText", f"{between} hour, in per cent", initialHide=True),
        _number("range_24h", "24 h range %", "shareText", f"{between} 24 h, in per cent", initialHide=True),
        _number("high_24h", "24 h high", "priceText", "The highest price of the last 24 h", initialHide=True),
        _number("low_24h", "24 h low", "priceText", "The lowest price of the last 24 h", initialHide=True),
    ]


def _rest(hours: str) -> list[Column]:
    volume = "Volume of 24 h in units of the base, as the exchange reports it"
    turnover = "Volume of 24 h times price, in dollars (or the most common quote), converted by tracked prices"
    covered = f"Share of the last {hours} for which prices are stored"
    plain: Column = {"filter": False}
    return [
        _number("volume", "Volume", "amountText", volume, initialHide=True),
        _number("turnover", "Turnover", "amountText", turnover),
        plain
        | {"field": "spark", "headerName": f"Last {hours}", "minWidth": 112, "cellRenderer": "Sparkline"}
        # The line ends at the price, so it is redrawn with it.
        | {"sortable": False, "cellClass": "spark-cell", "valueGetter": {"function": "params.data.price"}},
        plain
        | {"field": "alerted", "headerName": "Alert", "flex": 0, "cellRenderer": "AlertMark"}
        | {"context": {"widest": "23:59:59", "look": "chip"}, "headerTooltip": "Fired within the last hour"},
        plain
        | {"field": "updated", "headerName": "Updated", "flex": 0, "cellClass": "num", "initialHide": True}
        | {"headerTooltip": "Age of the price", "headerClass": "ag-right-aligned-header"}
        # Sorted by age, which changes while the price does not.
        | {"valueGetter": {"function": "params.data.old"}, "valueFormatter": _format("updatedText")}
        | {"tooltipValueGetter": {"function": "updatedTitle(params.data)"}, "context": {"widest": "119 min ago"}},
        _number("coverage", "Coverage %", "shareText", covered, initialHide=True),
    ]


def _number(field: str, name: str, writer: str, meaning: str, **others: Any) -> Column:
    """A column of numbers, formatted by a function of assets/1-notation.js."""
    return {
        "field": field,
        "headerName": name,
        "context": {"widest": notation.WIDEST[writer]},
        "valueFormatter": _format(writer),
        "headerTooltip": meaning,
        "cellClass": "num",
        "headerClass": "ag-right-aligned-header",
    } | others


def _change(field: str, name: str) -> Column:
    rules = {"is-up": "params.value > 0", "is-down": "params.value < 0"}
    return _number(field, f"{name} %", "changeText", f"Change over the last {name}", cellClassRules=rules)


def _format(function: str) -> dict[str, str]:
    return {"function": f"{function}(params.value)"}
