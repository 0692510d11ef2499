"""Query values of each route, as models that both read and describe them."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from api.contract.errors import InvalidInput
from api.contract.schemas import Metric
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.messages import DeliveryState
from services.market.text import number_in
from services.market.times import parse_moment

MAX_ROWS = 10_000
"""Lines of a page of the ranking or of alerts."""
MAX_SAMPLES = 50_000
"""Rows of a page of a series."""
MAX_OFFSET = 10_000_000
MAX_DELIVERIES = 1_000
MAX_NAMES = 100
MAX_NUMBER = 999_999_999
"""The largest number of a record."""
MAX_SECOND = 253_402_300_799
"""The last second of the year 9999."""
MAX_TEXT_LENGTH = 100
MAX_SHOWN_LENGTH = 40
"""Characters of a refused value that the error repeats."""

METRIC_FIELDS = tuple(Metric.model_fields)

T = TypeVar("T")

_BEFORE_ZONE = re.compile(r"([0-9Ww-]+[Tt ][0-9:.,]+) ([0-9]{2}(?::?[0-9]{2})?)")

IntervalName = Literal["raw", "5m", "1h"]
FormatName = Literal["json", "records", "csv"]
AlertStateName = Literal["firing", "no_data", "open", "resolved"]


def _shown(text: str) -> str:
    return repr(text[:MAX_SHOWN_LENGTH])


def _moment(text: str) -> datetime:
    # In a query `+` means a space, and `+00:00` is what most programs write for UTC.
    found = _BEFORE_ZONE.fullmatch(text)
    return parse_moment(text if found is None else f"{found[1]}+{found[2]}")


def _count(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = number_in(text, len(str(MAX_NUMBER)))
        if number is not None and low <= number <= high:
            return number
        raise ValueError(f"{_shown(text)} is not a whole number from {low} to {high}")

    return read


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text in choices:
            return text
        raise ValueError(f"{_shown(text)} is none of {', '.join(choices)}")

    return read


def _flag(text: str) -> bool:
    return _one_of(("false", "true"))(text) == "true"


def _text(text: str) -> str:
    if 1 <= len(text) <= MAX_TEXT_LENGTH:
        return text
    raise ValueError(f"{_shown(text)} does not have 1 to {MAX_TEXT_LENGTH} characters")


def _listed(read_one: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    def read(text: str) -> tuple[T, ...]:
        parts = text.split(",")
        if len(parts) > MAX_NAMES:
            raise ValueError(f"{len(parts)} values are more than the {MAX_NAMES} allowed")
        return tuple(dict.fromkeys(read_one(part) for part in parts))

    return read


def _list_schema(items: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "array", "items": items, "minItems": 1, "maxItems": MAX_NAMES})


_DIRECTIONS = tuple(f"{sign}{name}" for name in METRIC_FIELDS for sign in ("", "-"))
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH, "pattern": "^[^,]+$"}

Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 0, "maximum": MAX_SECOND},
            ]
        }
    ),
]
Interval = Annotated[IntervalName, BeforeValidator(_one_of(get_args(IntervalName)))]
Format = Annotated[FormatName, BeforeValidator(_one_of(get_args(FormatName)))]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed(_text)), _list_schema(_NAME)]
SearchText = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH})
]
Fields = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed(_one_of(METRIC_FIELDS))),
    _list_schema({"type": "string", "enum": list(METRIC_FIELDS)}),
]
Sorting = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed(_one_of(_DIRECTIONS))),
    _list_schema({"type": "string", "enum": list(_DIRECTIONS)}),
]
Rows = Annotated[
    int,
    BeforeValidator(_count(1, MAX_ROWS)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_ROWS}),
]
Samples = Annotated[
    int,
    BeforeValidator(_count(1, MAX_SAMPLES)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SAMPLES}),
]
Deliveries = Annotated[
    int,
    BeforeValidator(_count(1, MAX_DELIVERIES)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_DELIVERIES}),
]
State = Annotated[DeliveryState, BeforeValidator(_one_of(get_args(DeliveryState)))]
Number = Annotated[
    int,
    BeforeValidator(_count(0, MAX_NUMBER)),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}),
]
Numbers = Annotated[
    tuple[int, ...],
    BeforeValidator(_listed(_count(0, MAX_NUMBER))),
    _list_schema({"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}),
]
AlertState = Annotated[AlertStateName, BeforeValidator(_one_of(get_args(AlertStateName)))]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Offset = Annotated[
    int,
    BeforeValidator(_count(0, MAX_OFFSET)),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_OFFSET}),
]

FORMAT_DESCRIPTION = (
    "`json` as described here, `records` one plain array of objects with the same columns in each, `csv` a table. "
    "Without it, `Accept: text/csv` asks for the table too."
)


class Query(BaseModel):
    """The query values of one route. Unknown names are refused: a misspelt filter would filter nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def given(self) -> set[str]:
        """The names, as in an address, of the values that the request gives."""
        return {_name_of(type(self), field) for field in self.model_fields_set}


class OriginalsQuery(Query):
    """The query of a route that the original service had too. Its clients add names of their own to bypass caches, so
    unknown names are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class MetricQuery(OriginalsQuery):
    pass


class RankingQuery(OriginalsQuery):
    market: Names | None = Field(
        default=None, description="Only these markets, comma-separated, in any case.", examples=[["kraken", "binance"]]
    )
    base: Names | None = Field(
        default=None, description="Only these base currencies, comma-separated, in any case.", examples=[["BTC", "ETH"]]
    )
    quote: Names | None = Field(
        default=None, description="Only these quote currencies, comma-separated, in any case.", examples=[["USD"]]
    )
    q: SearchText | None = Field(
        default=None,
        description="Only metrics whose market, `BASE/QUOTE` or key contain each of these words, in any case.",
        examples=["btc/usd"],
    )
    sort: Sorting = Field(
        default=("rank",),
        description="Fields to sort by, comma-separated, `-` before one for descending. Unknown values come "
        "last either way, and equal ones keep the order of their ranks.",
        examples=[["-volatility", "id"]],
    )
    fields: Fields | None = Field(
        default=None,
        description="Only these fields of each metric, comma-separated.",
        examples=[["id", "rank", "price"]],
    )
    limit: Rows | None = Field(default=None, description="Metrics on a page; all without it.", examples=[100])
    offset: Offset = Field(default=0, description="Metrics to skip before the page.")
    format: Format | None = Field(default=None, description=FORMAT_DESCRIPTION)


class SeriesQuery(OriginalsQuery):
    since: Moment | None = Field(
        default=None,
        description="Rows after this moment: ISO-8601, in UTC where it names no zone, or epoch seconds.",
        examples=["2026-03-01T00:00:00Z"],
    )
    until: Moment | None = Field(
        default=None,
        description="Rows up to this moment; the running period's start without it.",
        examples=["2026-03-02T00:00:00Z"],
    )
    limit: Samples | None = Field(
        default=None,
        description="A page of at most so many rows. `since` may then be any time before `until`, and the `Link` "
        "header leads from page to page. A page within a gap may be empty.",
        examples=[5000],
    )
    format: Format | None = Field(default=None, description=FORMAT_DESCRIPTION)


class PricesQuery(SeriesQuery):
    interval: Interval = Field(
        default="raw",
        description="`raw`: each stored price; `5m`, `1h`: open, high, low, close, mean, count and volume.",
    )


class SparklinesQuery(Query):
    metrics: Numbers | None = Field(
        default=None,
        description=f"Only these metrics, by number, comma-separated; else the first {MAX_NAMES} of the ranking.",
        examples=[[1, 2]],
    )


class AlertsQuery(Query):
    since: Moment | None = Field(
        default=None, description="Alerts fired at or after this moment.", examples=["2026-03-01T00:00:00Z"]
    )
    until: Moment | None = Field(
        default=None, description="Alerts fired before this moment.", examples=["2026-03-02T00:00:00Z"]
    )
    metric: str | None = Field(
        default=None, description="Only this metric's alerts; its number or key.", examples=["kraken:BTC-USD"]
    )
    rule: Number | None = Field(default=None, description="Only this rule's alerts; 0 is the built-in one.")
    state: AlertState | None = Field(
        default=None,
        description="`firing`: only those whose condition still holds; `no_data`: only those whose price has been"
        " unknown for three periods; `open`: both; `resolved`: only those that have ended.",
    )
    search: SearchText | None = Field(
        default=None,
        alias="words",
        description="Only alerts of metrics whose name contains each of these words.",
        examples=["kraken usd"],
    )
    unacknowledged: Flag = Field(default=False, description="Only those that nobody has acknowledged.")
    limit: Rows = Field(default=1000, description="The length of a page, newest first.")
    offset: Offset = Field(default=0, description="Alerts to skip before the page.")
    format: Format | None = Field(default=None, description=FORMAT_DESCRIPTION)

    def selection(self, metric_id: int | None) -> AlertQuery:
        """The query as the store takes it; `metric_id` is the number of `metric`."""
        return AlertQuery(
            since=self.since,
            until=self.until,
            metric_id=metric_id,
            rule_id=self.rule,
            state=self.state,
            unacknowledged=self.unacknowledged,
            search=self.search or "",
            limit=self.limit,
            offset=self.offset,
        )


class DeliveriesQuery(Query):
    state: State | None = Field(default=None, description="Only messages of this state.")
    limit: Deliveries = Field(default=100, description="The length of a page, newest first.")
    offset: Offset = Field(default=0, description="Messages to skip before the page.")


class StreamQuery(Query):
    metrics: Names | None = Field(
        default=None,
        description="Numbers or keys, comma-separated; each event then has the metrics among them that have changed.",
        examples=[["kraken:BTC-USD"]],
    )


Q = TypeVar("Q", bound=Query)


def _name_of(model: type[Query], field: str) -> str:
    return model.model_fields[field].alias or field


def read_query(model: type[Q]) -> Q:
    """The query of the current request. If a name is given twice, its first value counts. Raises InvalidInput."""
    if not request.query_string:
        plain: Q = _defaults(model)
        return plain
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = ", ".join(_name_of(model, field) for field in model.model_fields) or "none"
            raise InvalidInput(f"{name[:MAX_SHOWN_LENGTH]}: unknown name; known names are: {known}") from None
        raise InvalidInput(f"{name}: {first['ctx']['error']}") from None


@cache
def _defaults(model: type[Q]) -> Q:
    return model()


def wanted_format(given: FormatName | None) -> FormatName:
    """The format that the query names, or else the `Accept` header."""
    if given is not None:
        return given
    if "text/csv" not in request.headers.get("Accept", ""):  # reading the whole header costs more than the answer
        return "json"
    accept = request.accept_mimetypes
    return "csv" if accept.quality("text/csv") > accept.quality("application/json") else "json"
