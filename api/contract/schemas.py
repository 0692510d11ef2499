"""JSON Schemas of the answers, from which `/openapi.json` is made.

No answer is validated by them while the program runs: tests do that. `Metric` also lists the fields that a query may
name.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.market.alerting.alerts import AlertState, Reason
from services.market.alerting.messages import DeliveryState
from services.market.alerting.rules import Quantity

NOON = "2026-03-01T12:00:00Z"

Id = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(description="A fraction: 0.01 is one per cent.")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    title: str = Field(examples=["Not Found"], description="The text of the status.")
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(examples=["no metric 99"], description="The details; for an invalid value, its name first.")
    reason: str = Field(
        examples=["Resource not found"], description="A fixed text by which clients tell problems apart."
    )


class Metric(Body):
    """One market's price of `base` in `quote`, as of the last tick. Unknown values are null."""

    id: Id = Field(examples=[1])
    market: str = Field(examples=["kraken"], description="The exchange.")
    base: str = Field(examples=["BTC"], description="The currency that is priced.")
    quote: str = Field(examples=["USD"], description="The currency of the price.")
    rank: Annotated[int, Field(ge=1)] | None = Field(
        examples=[1], description="1 is the largest `stdev`; equal ones are in order of id; null without prices."
    )
    rank_1h_ago: Annotated[int, Field(ge=1)] | None = Field(examples=[2], description="As of the tick of an hour ago.")
    stdev: Annotated[float, Field(ge=0)] | None = Field(
        examples=[812.25], description="Population standard deviation of the prices of the last 24 h, in `quote`."
    )
    price: float | None = Field(examples=[60123.4], description="The latest, in `quote`.")
    mean: float | None = Field(examples=[60000.0], description="Of the prices of the last 24 h, in `quote`.")
    average_1h: float | None = Field(examples=[60050.5], description="Of the prices of the last hour, in `quote`.")
    change_1h: Annotated[
        float | None, Field(examples=[0.0125], description="A fraction: from the price an hour before `updated_at`.")
    ]
    change_24h: Annotated[
        float | None, Field(examples=[-0.034], description="A fraction: from the price 24 h before `updated_at`.")
    ]
    range_1h: Fraction | None = Field(examples=[0.02], description="(high - low) / low of the last hour.")
    range_24h: Fraction | None = Field(examples=[0.05], description="(high - low) / low of the last 24 h.")
    high_24h: float | None = Field(examples=[61000.0], description="In `quote`.")
    low_24h: float | None = Field(examples=[58000.0], description="In `quote`.")
    volatility: Fraction | None = Field(examples=[0.0135], description="stdev / mean, a fraction.")
    log_volatility: Fraction | None = Field(
        examples=[0.42], description="Standard deviation of the log returns, as a fraction a year."
    )
    volume_24h: float | None = Field(examples=[1234.5], description="As the exchange reports it, in `base`.")
    samples: Annotated[int, Field(ge=0)] = Field(examples=[1440], description="The number of prices in `stdev`.")
    active: bool = Field(description="False for a metric that is not traded: it has no rank, but a reason.")
    reason: str | None = Field(examples=[None], description="`delisted`, `halted` or `frozen`.")
    updated_at: datetime | None = Field(examples=[NOON], description="When the price was taken.")
    alerted_at: datetime | None = Field(examples=[None], description="The last alert, if within the last hour.")
    new_at: datetime | None = Field(examples=[None], description="When it was first seen listed, if in the last day.")
    stale: bool = Field(
        description="The price is older than two periods, or there is none: its changes are as of then."
    )
    coverage: Annotated[float, Field(ge=0, le=1)] = Field(
        examples=[1.0],
        description="How much of the window of `stdev` the prices stand for: 0.125 is 3 of 24 h. Gaps are missing.",
    )


def _none_required(schema: dict[str, Any]) -> None:
    schema.pop("required")


class ChosenMetric(Metric):
    """A metric, with those of its fields that `fields` asks for; all without it."""

    model_config = ConfigDict(json_schema_extra=_none_required)


class Metrics(Body):
    metrics: list[ChosenMetric]


class OneMetric(Body):
    metric: Metric


class Price(Body):
    price: float = Field(examples=[60123.4], description="In quote currency.")
    createdAt: datetime = Field(examples=[NOON])  # noqa: N815 # the original's name
    width: int | None = Field(
        default=None,
        ge=1,
        examples=[300],
        description="The seconds that it stands for, if a coarser candle filled a gap.",
    )


class Volume(Body):
    volume: float = Field(examples=[1234.5], description="Of the 24 h before, in base units.")
    createdAt: datetime = Field(examples=[NOON])  # noqa: N815
    width: int | None = Field(default=None, ge=1)


class _Candle(Body):
    price: float = Field(examples=[60123.4], description="The close again.")
    open: float
    high: float
    low: float
    close: float
    mean: float = Field(description="Each price weighted by the time it stands for.")
    count: int = Field(ge=1, description="Prices in it.")
    volume: float | None = Field(description="The last 24 h volume in it, in base units.")


class Candle(_Candle):
    createdAt: datetime = Field(examples=[NOON], description="When it begins.")  # noqa: N815


class CandleRecord(_Candle):
    created_at: datetime = Field(examples=[NOON], description="When it begins.")


class PriceRecord(Body):
    price: float | None
    created_at: datetime = Field(examples=[NOON])
    width: int = Field(ge=1, examples=[60])


class VolumeRecord(Body):
    volume: float | None
    created_at: datetime = Field(examples=[NOON])
    width: int = Field(ge=1, examples=[60])


class Prices(Body):
    prices: list[Price] | list[Candle] = Field(description="Oldest first.")


class Volumes(Body):
    volumes: list[Volume] = Field(description="Oldest first.")


class FiredAlert(Body):
    """A rule's firing on a metric that stood at `price`.

    The built-in one compares that with `factor` times the `average` of the `samples` prices before it; `rule`,
    `condition`, `quantity`, `value`, `reference` and `threshold` are for all other rules.
    """

    id: Id
    metric_id: Id
    market: str = Field(examples=["kraken"])
    base: str = Field(examples=["BTC"])
    quote: str = Field(examples=["USD"])
    price: float
    average: float | None
    factor: float | None = Field(examples=[3.0])
    samples: int = Field(ge=0, examples=[60])
    fired_at: datetime = Field(examples=[NOON])
    state: AlertState = Field(
        description="`no_data`: the price has been unknown for three periods, so it is unknown whether it still fires."
    )
    rule_id: int = Field(description="0 for the built-in rule.", examples=[0])
    rule: str | None = Field(description="The rule's name when it fired.", examples=["Halved"])
    condition: str | None = Field(
        description="The condition as text.", examples=["price falls by more than 50 % within 1 h"]
    )
    quantity: Quantity
    value: float | None = Field(description="The value of the quantity.")
    reference: float | None = Field(description="The average, or the value when the window began.")
    threshold: float | None = Field(description="The threshold that the value crossed.")
    muted: bool = Field(description="Whether a mute kept it from being sent.")
    no_data_since: datetime | None = Field(description="When its state became `no_data`; null in other states.")
    resolved_at: datetime | None
    reason: Reason | None = Field(
        description="Why it resolved with its value still beyond the threshold that it fired at: the average took in"
        " the values since, or the window of the change begins after it. Null where the value came back."
    )
    acknowledged_at: datetime | None
    note: str | None = Field(description="The note of the acknowledgement.")
    acknowledged_by: str | None = Field(description="The user who acknowledged it, where the server asks for names.")


class Alerts(Body):
    alerts: list[FiredAlert] = Field(description="Newest first.")


class Delivery(Body):
    """One message to one channel, with its delivery status."""

    id: Id
    channel: str = Field(examples=["ops"])
    state: DeliveryState
    title: str = Field(examples=["BTC/USD on kraken: 3.2 x its average"])
    fired: int = Field(ge=0, description="Fired alerts in it.")
    resolved: int = Field(ge=0, description="Resolved alerts in it.")
    first: FiredAlert = Field(description="The first of those.")
    attempts: int = Field(ge=0)
    error: str | None = Field(examples=["answered 503"], description="Why the last attempt failed.")
    created_at: datetime = Field(examples=[NOON])
    due_at: datetime | None = Field(examples=[None], description="When a queued message is sent or retried.")
    sent_at: datetime | None = Field(examples=[NOON])


class DeliveryList(Body):
    deliveries: list[Delivery] = Field(description="Newest first.")


class OneDelivery(Body):
    delivery: Delivery


class Channels(Body):
    channels: list[str] = Field(examples=[["ops", "mail"]], description="By the names that `NOTIFY_URLS` gives them.")


class Tested(Body):
    channel: str = Field(examples=["ops"])
    accepted: bool = Field(examples=[True])


class Table(Body):
    columns: dict[str, list[float | bool | str | None]] = Field(
        description="Fields of `/metrics`, each as one list in rank order; derived ones to eight digits."
    )


class Sparklines(Body):
    minute: datetime | None = Field(description="The tick of the last points; null before the first.")
    points: dict[str, list[Annotated[int, Field(ge=0, le=255)]]] = Field(
        description="By metric number, 24 points from 0 to 100, an hour each, oldest first; 255 for none."
    )
    low: dict[str, float | None] = Field(description="By metric number, the price that 0 stands for.")
    high: dict[str, float | None] = Field(description="By metric number, the price that 100 stands for.")


class LiveExchange(Body):
    market: str
    failing_since: datetime | None
    error: str | None
    note: str | None


class LiveBackfill(Body):
    market: str
    done: int
    failed: int
    total: int


class SetAside(Body):
    """Ticks stored by a clock that was ahead, which are no longer used."""

    at: datetime = Field(description="When such ticks were last found.")
    first: datetime = Field(description="The first period that was set aside, by the clock that was ahead.")
    last: datetime
    ticks: int = Field(ge=0)
    prices: int = Field(ge=0)


class Live(Body):
    """The state of the installation."""

    revision: int = Field(ge=0, description="Grows with every change of what the other routes send.")
    minute: datetime | None = Field(description="The last tick's period.")
    period: int = Field(ge=1, description="Seconds between ticks.")
    simulated: bool
    stale: bool = Field(description="The last tick is older than three periods, or in the future by this clock.")
    database_away_since: datetime | None = Field(
        description="Since when the database has not answered: all else, here and on other routes, is as last read. "
        "Null while it answers."
    )
    tracked: int = Field(ge=0)
    live: int = Field(ge=0, description="Metrics whose price is not stale, of those that trade.")
    stale_metrics: int = Field(ge=0, description="Metrics whose price is stale, of those that trade.")
    exchanges: list[LiveExchange]
    backfills: list[LiveBackfill]
    warnings: list[str]
    set_aside: SetAside | None = Field(description="Null if no clock was ever found to be ahead.")
    cannot_write: str | None = Field(description="Why nothing can be written to the database now; null where it can.")
    alerts: list[FiredAlert] = Field(description="The newest open alerts that are neither muted nor acknowledged.")
    unacknowledged: int = Field(alias="unattended", ge=0, description="The number of these alerts.")


class Alive(Body):
    status: str = Field(examples=["alive"])


class Ready(Body):
    status: str = Field(examples=["ready"])
    minute: datetime


class StreamEvent(BaseModel):
    """One server-sent event."""

    id: str = Field(examples=["8"], description="The revision, to be sent back as `Last-Event-ID`.")
    data: str = Field(
        examples=['{"revision": 8, "minute": "2026-03-01T12:00:00Z"}'],
        description="An object with `revision`, `minute` (the last tick's period), and `metrics` where they were asked "
        "for: all of them in the first event, then those that changed.",
        json_schema_extra={"contentMediaType": "application/json"},
    )
