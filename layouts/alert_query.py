"""The filters of the alert history: as parameters of its address, as a query, and as the address of a CSV file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from layouts.paths import at
from services.market.alerting.alerts import AlertQuery
from services.market.text import number_in
from services.market.times import to_epoch

PAGE_ROWS = 50
MAX_SEARCH_LENGTH = 100
MAX_DIGITS = 9
"""Digits of a rule number or a page number; a longer one is ignored."""
MAX_CSV_ROWS = 10_000
"""The most alerts that the API returns at once."""

Choices = Sequence[tuple[str, str]]

ANY = "any"
"""The choice that filters nothing. It cannot be empty: a browser's list takes an empty value for none."""

STATES: Choices = (
    (ANY, "Any state"),
    ("open", "Not resolved"),
    ("firing", "Firing"),
    ("no_data", "No data"),
    ("resolved", "Resolved"),
)
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
UNACKNOWLEDGED = "unseen"
"""The parameter of the address, and the value of its box."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the history; "" and False filter nothing. Pages count from 1."""

    q: str = ""
    rule: str = ""
    state: str = ""
    span: str = ""
    unacknowledged: bool = False
    page: int = 1

    @property
    def any(self) -> bool:
        return replace(self, page=1) != Filters()

    @property
    def parameters(self) -> dict[str, str | bool | int]:
        """The filters under the names that the address and the browser use; `filters_of` reads them."""
        return {
            "q": self.q,
            "rule": self.rule,
            "state": self.state,
            "span": self.span,
            UNACKNOWLEDGED: self.unacknowledged,
            "page": self.page,
        }


def filters_of(parameters: Mapping[str, Any]) -> Filters:
    """The filters that a browser asks for; invalid values are ignored."""
    page = number_in(str(parameters.get("page") or ""), MAX_DIGITS)
    rule = number_in(str(parameters.get("rule") or ""), MAX_DIGITS)
    return Filters(
        q=str(parameters.get("q") or "").strip()[:MAX_SEARCH_LENGTH],
        rule="" if rule is None else str(rule),
        state=_one_of(STATES, parameters.get("state")),
        span=_one_of(SPANS, parameters.get("span")),
        unacknowledged=bool(parameters.get(UNACKNOWLEDGED)),
        page=max(1, page or 1),
    )


def filters_at(search: str) -> Filters:
    """The filters in the query string of an address."""
    return filters_of({name: values[-1] for name, values in parse_qs(search.removeprefix("?")).items()})


def query_of(filters: Filters, now: datetime) -> AlertQuery:
    """The query for the page of alerts that pass the filters at `now`."""
    return AlertQuery(
        since=None if not filters.span else now - SPAN_LENGTHS[filters.span],
        rule_id=int(filters.rule) if filters.rule else None,
        state=filters.state or None,
        unacknowledged=filters.unacknowledged,
        search=filters.q,
        limit=PAGE_ROWS,
        offset=(filters.page - 1) * PAGE_ROWS,
    )


def csv_path(filters: Filters, now: datetime) -> str:
    """The address of all alerts that pass the filters, as a CSV file."""
    query = query_of(filters, now)
    values = {
        "format": "csv",
        "limit": str(MAX_CSV_ROWS),
        "words": query.search,
        "rule": filters.rule,
        "state": filters.state,
        "since": "" if query.since is None else str(to_epoch(query.since)),
        "unacknowledged": "true" if filters.unacknowledged else "",
    }
    return at("/alerts?") + urlencode({name: value for name, value in values.items() if value})


def _one_of(choices: Choices, wanted: object) -> str:
    return next((value for value, _ in choices if value == wanted != ANY), "")
