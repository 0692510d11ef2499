"""The backfill on the status page: how much of the missing history each exchange has delivered."""

from dash import html
from dash.development.base_component import Component

from layouts import parts
from services.market.status import BackfillState, Status


def card(status: Status) -> Component | None:
    """The progress of all exchanges; None if no history is missing."""
    progress = backfills(status)
    return parts.card("Backfill", progress) if progress else None


def backfills(status: Status) -> list[Component]:
    """The progress of each exchange, with those that have never answered."""
    silent = [state.market for state in status.exchanges if state.last_success is None]
    states = {state.market: state for state in status.backfills if state.total}
    rows = [backfill(state, is_silent=state.market in silent) for state in states.values()]
    return rows + [_progress(market, "waiting for the first answer", 0, 1) for market in silent if market not in states]


def backfill(state: BackfillState, *, is_silent: bool = False) -> Component:
    """The progress of one exchange; `is_silent` if it has never answered."""
    text = f"{state.done:,} of {state.total:,} requests" + (f", {state.failed:,} failed" if state.failed else "")
    if is_silent and not state.done:
        text = f"waiting for the first answer, {state.total:,} requests to come"
    return _progress(state.market, text, state.done, state.total)


def _progress(market: str, text: str, done: int, total: int) -> Component:
    """Failed requests leave their part of the bar empty."""
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
