"""JSON Schemas of rules, mutes and replays, both of what is sent and of what is answered."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.contract.identifiers import MAX_RECORD_ID
from api.contract.schemas import NOON, Body, FiredAlert, Id
from services.market.alerting.rules import (
    DEFAULT_COOLDOWN_SECONDS,
    DEFAULT_DIRECTION,
    DEFAULT_HYSTERESIS_PERCENT,
    DEFAULT_MIN_SAMPLES,
    DEFAULT_PENDING_SECONDS,
    DEFAULT_QUANTITY,
    DEFAULT_SIDE,
    MAX_CHANNEL_LENGTH,
    MAX_CHANNELS,
    MAX_COUNT,
    MAX_HYSTERESIS_PERCENT,
    MAX_LEVEL,
    MAX_MULTIPLE,
    MAX_NAME_LENGTH,
    MAX_PATTERNS,
    MAX_WAIT_SECONDS,
    MIN_MULTIPLE,
    WINDOWS,
    Direction,
    Quantity,
    Side,
)
from services.market.text import MAX_NOTE_LENGTH

Window = Annotated[int, Field(json_schema_extra={"enum": [*WINDOWS]})]
Places = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Wait = Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS)]
Pattern = Annotated[str, Field(max_length=MAX_CHANNEL_LENGTH, examples=["kraken:*/USD"])]
Channel = Annotated[str, Field(min_length=1, max_length=MAX_CHANNEL_LENGTH, examples=["ops"])]
Note = Annotated[
    str,
    # No control characters but tab, line feed and carriage return.
    Field(max_length=MAX_NOTE_LENGTH, pattern=r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$"),
]
Multiple = Annotated[float, Field(ge=MIN_MULTIPLE, le=MAX_MULTIPLE)]


class OfAverage(Body):
    """The value is `above` or `below` `factor` times its average of the window."""

    kind: Literal["average"]
    direction: Side = DEFAULT_SIDE
    factor: Multiple = Field(examples=[3.0])
    window_seconds: Window = Field(examples=[3_600])
    min_samples: Places = Field(default=DEFAULT_MIN_SAMPLES, description="The fewest values to take an average of.")


class OfChange(Body):
    """The value has changed by more than `percent` since the window began."""

    kind: Literal["change"]
    direction: Direction = DEFAULT_DIRECTION
    percent: Multiple = Field(examples=[10.0])
    window_seconds: Window = Field(examples=[3_600])


class OfLevel(Body):
    """The value crosses `level`."""

    kind: Literal["level"]
    direction: Direction = DEFAULT_DIRECTION
    level: float = Field(ge=0, le=MAX_LEVEL, examples=[100_000.0])


class OfPlace(Body):
    """The rank becomes `places` or better."""

    kind: Literal["top"]
    places: Places = Field(examples=[10])


class OfSilence(Body):
    """There has been no price for `periods`."""

    kind: Literal["no_data"]
    periods: Places = Field(examples=[5])


Condition = OfAverage | OfChange | OfLevel | OfPlace | OfSilence


class NewRule(Body):
    """A rule as it is written."""

    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH, examples=["Halved"], description="One line.")
    scope: list[Pattern] | str = Field(
        max_length=MAX_PATTERNS,
        description="The metrics that it watches, as patterns of `TRACK`: a list, or one text with commas.",
    )
    quantity: Quantity = DEFAULT_QUANTITY
    condition: Condition = Field(
        description="`top` is for `rank`, which otherwise takes only `level`; `no_data` is for `price`."
    )
    pending_seconds: Wait = Field(
        default=DEFAULT_PENDING_SECONDS, description="How long the condition must hold before the rule fires."
    )
    cooldown_seconds: Wait = Field(
        default=DEFAULT_COOLDOWN_SECONDS, description="The shortest time between two alerts of a metric."
    )
    hysteresis_percent: float = Field(
        default=DEFAULT_HYSTERESIS_PERCENT,
        ge=0,
        le=MAX_HYSTERESIS_PERCENT,
        description="How far behind the threshold resolves the alert, in per cent of it.",
    )
    channels: Annotated[list[Channel], Field(max_length=MAX_CHANNELS)] | None = Field(
        default=None, description="The channels to notify, named as in `/alerts/channels`; null for all."
    )
    tell_resolved: bool = Field(
        default=False, description="Whether to notify the same channels when an alert resolves."
    )
    enabled: bool = True


def _all_optional(schema: dict[str, Any]) -> None:
    schema.pop("required")
    for field in schema["properties"].values():
        field.pop("default", None)  # a field that is not sent stays as it is


class RuleChange(NewRule):
    """The fields of a rule to change."""

    model_config = ConfigDict(json_schema_extra=_all_optional)


class Rule(Body):
    """A stored rule."""

    id: int = Field(ge=0, description="0 for the built-in rule.")
    name: str = Field(examples=["Halved"])
    scope: list[str] = Field(examples=[["kraken:*/USD"]])
    quantity: Quantity
    condition: "AnyCondition"
    pending_seconds: int = Field(ge=0)
    cooldown_seconds: int = Field(ge=0)
    hysteresis_percent: float = Field(ge=0)
    channels: list[str] | None
    tell_resolved: bool
    enabled: bool
    condition_text: str = Field(
        alias="words", examples=["price falls by more than 50 % within 1 h"], description="The condition as text."
    )
    editable: bool = Field(description="False for the built-in rule, which the settings make.")
    states: dict[str, int] = Field(description="The number of metrics in each state.")


class StoredAverage(OfAverage):
    window_seconds: int = Field(ge=1)  # the built-in rule's window may be any


AnyCondition = StoredAverage | OfChange | OfLevel | OfPlace | OfSilence


class RuleList(Body):
    rules: list[Rule] = Field(description="The built-in one first.")


class OneRule(Body):
    rule: Rule


class ReplayOrder(Body):
    rule: NewRule | Literal[0] = Field(description="0 for the built-in rule.")
    since: datetime | None = Field(
        default=None, examples=["2026-02-28T12:00:00Z"], description="24 h before `until` without it."
    )
    until: datetime | None = Field(
        default=None, examples=[NOON], description="The start of the running period without it."
    )


class ReplayedMetric(Body):
    metric_id: Id
    count: int = Field(ge=1)


class ReplayedFiring(Body):
    metric_id: Id
    price: float
    fired_at: datetime


class Replay(Body):
    """When the rule would have fired."""

    since: datetime
    until: datetime
    count: int = Field(ge=0)
    metrics: list[ReplayedMetric] = Field(description="Those with the most firings first.")
    firings: list[ReplayedFiring] = Field(description="The newest.")


class ReplayEvent(Body):
    """One server-sent event of a replay."""

    event: Literal["progress", "result", "problem"]
    data: str = Field(
        examples=['{"share": 0.25}'],
        description="Of `progress`, an object with `share`: the share that is done, 0 to 1, or null while another"
        " replay runs. The last event is a `result`, with the JSON answer, or a `problem`, with `status` and `detail`.",
        json_schema_extra={"contentMediaType": "application/json"},
    )


class Acknowledgement(Body):
    note: Note | None = Field(default=None, examples=["Looking into it"])


class AcknowledgeAll(Acknowledgement):
    up_to: int = Field(
        ge=0, le=MAX_RECORD_ID, examples=[42], description="The number of the newest alert to acknowledge."
    )


class Acknowledged(Body):
    count: int = Field(ge=0, description="The number of alerts that were acknowledged.")


class OneAlert(Body):
    alert: FiredAlert


class NewMute(Body):
    """What to mute: a rule, a metric, or that rule on that metric."""

    rule: Annotated[int, Field(ge=0)] | None = Field(default=None, description="0 for the built-in rule.")
    metric: int | str | None = Field(default=None, examples=["kraken:BTC-USD"], description="Its number or key.")
    until: datetime | None = Field(default=None, examples=[NOON], description="Until it is removed, without it.")
    note: Note | None = None


class Mute(Body):
    id: Id
    rule: int | None
    metric: int | None
    until: datetime | None
    note: str | None
    created_at: datetime


class MuteList(Body):
    mutes: list[Mute]


class OneMute(Body):
    mute: Mute
