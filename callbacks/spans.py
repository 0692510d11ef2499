"""The stretches of time a chart can be asked for."""

from datetime import datetime, timedelta

from layouts.metric import SPANS, WHOLE_SPAN


def span_until(now: datetime, hours: str) -> tuple[datetime, datetime]:
    """The last `hours` (a key of SPANS; anything else, as the browser may send, is the whole) before `now`."""
    return now - timedelta(hours=int(hours if hours in SPANS else WHOLE_SPAN)), now
