"""The storage on the status page: the database's size and growth, the shared cache, and problems of either."""

from datetime import tzinfo

from dash import html
from dash.development.base_component import Component

from layouts import figures, notation, parts
from layouts.axes import Figure
from services.market.status import Day, SetAside, Status, Storage


def storage(status: Status, zone: tzinfo) -> list[Component]:
    """Size, growth and sealing of the database; the shared cache, if there is one; and what is wrong."""
    return [
        *_cannot_write(status.cannot_write),
        _database(status.storage, zone),
        *_shared_cache(status.shared_cache),
        *_set_aside(status.set_aside, zone),
        *_over_retention(status.storage, zone),
    ]


def _cannot_write(why: str | None) -> list[Component]:
    if why is None:
        return []
    text = f"Nothing can be written, so no tick is stored: {why}"
    return [html.P([html.Span(className="dot is-bad"), text], className="state", role="alert")]


def _over_retention(state: Storage | None, zone: tzinfo) -> list[Component]:
    if state is None or state.retained_since is None:
        return []
    text = (
        f"Samples since {notation.stamp(state.retained_since, zone)} are kept longer than RETENTION_DAYS."
        " Time without ticks does not count, because it may be an outage or a clock that jumped"
    )
    return [html.P([html.Span(className="dot"), text], className="state")]


def _set_aside(aside: SetAside | None, zone: tzinfo) -> list[Component]:
    if aside is None:
        return []
    text = (
        f"A clock was ahead: {aside.ticks:,} ticks and {aside.prices:,} prices, dated"
        f" {notation.stamp(aside.first, zone)} to {notation.stamp(aside.last, zone)}, were set aside at"
        f" {notation.stamp(aside.at, zone)} and are not used"
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
        parts.figure("Sealed until", sealed, title="Older samples are compressed, without loss"),
    )
    return parts.figures(items, className="figure-list is-wide")


def charts(day: Day, zone: tzinfo) -> tuple[Figure, Figure | None]:
    """The charts of the day's ticks and of the database's size; the second is None with fewer than two sizes."""
    grown = len(day.sizes.times) > 1
    return figures.tick_figure(day.ticks, zone), figures.size_figure(day.sizes, zone) if grown else None


def growth(sizes: Figure | None) -> list[Component]:
    """The chart of the database's size, with its title."""
    if sizes is None:
        return []
    return [html.H3("Hourly size", className="card-subtitle"), parts.chart_frame("size-chart", sizes)]


def _shared_cache(up: bool | None) -> list[Component]:
    if up is None:
        return []
    text = (
        "Shared cache answering"
        if up
        else "Shared cache unavailable: Redis does not answer, the database is read instead"
    )
    return [html.P([html.Span(className=f"dot is-{'good' if up else 'bad'}"), text], className="state")]
