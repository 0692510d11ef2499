"""JSON Schemas of rules, mutes and replays, both of what is sent and of what is answered."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.contract.identifiers import MAX_RECORD_ID
from api.contract.schemas import NOON, Body, FiredAlert, Id
from services.market.alerting.rules import (
    DEFAULT_COOLDOWN_SECONDS,
    DEFAULT_MIN_SAMPLES,
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
    direction: Literal["above", "below"] = "above"
    factor: Multiple = Field(examples=[3.0])
    window_seconds: Window = Field(examples=[3_600])
    min_samples: Places = Field(default=DEFAULT_MIN_SAMPLES, description="Values that the average must rest on.")


class OfChange(Body):
    """The value has changed by more than `percent` since the window began."""

    kind: Literal["change"]
    direction: Literal["up", "down", "either"] = "either"
    percent: Multiple = Field(examples=[10.0])
    window_seconds: Window = Field(examples=[3_600])


class OfLevel(Body):
    """The value goes through `level`."""

    kind: Literal["level"]
    direction: Literal["up", "down", "either"] = "either"
    level: float = Field(ge=0, le=MAX_LEVEL, examples=[100_000.0])


class OfPlace(Body):
    """The rank comes to be `places` or better."""

    kind: Literal["top"]
    places: Places = Field(examples=[10])


class OfSilence(Body):
    """There has been no price for `periods`."""

    kind: Literal["no_data"]
    periods: Places = Field(examples=[5])


Condition = OfAverage | OfChange | OfLevel | OfPlace | OfSilence
Quantity = Literal["price", "volume", "stdev", "volatility", "rank"]


class NewRule(Body):
    """A rule as it is written."""

    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH, examples=["Halved"], description="One line.")
    scope: list[Pattern] | str = Field(
        max_length=MAX_PATTERNS,
        description="The metrics that it watches, as patterns of `TRACK`; as one text, comma-separated, too.",
    )
    quantity: Quantity = "price"
    condition: Condition = Field(
        description="`top` goes with rank alone, which takes `level` beside it; `no_data` with price alone."
    )
    pending_seconds: Wait = Field(default=0, description="For how long the condition has to be met.")
    cooldown_seconds: Wait = Field(
        default=DEFAULT_COOLDOWN_SECONDS, description="A metric fires at most once in this time."
    )
    hysteresis_percent: float = Field(
        default=0.0,
        ge=0,
        le=MAX_HYSTERESIS_PERCENT,
        description="How far the value has to be back, of the threshold, to resolve.",
    )
    channels: Annotated[list[Channel], Field(max_length=MAX_CHANNELS)] | None = Field(
        default=None, description="Where its messages go, by the names of `/alerts/channels`; null for all."
    )
    tell_resolved: bool = Field(default=False, description="Whether those who were told are told of the end.")
    enabled: bool = True


def _all_optional(schema: dict[str, Any]) -> None:
    schema.pop("required")
    for told in schema["properties"].values():
        told.pop("default", None)  # what is not told stays as it is


class RuleChange(NewRule):
    """Those fields of a rule that change."""

    model_config = ConfigDict(json_schema_extra=_all_optional)


class Rule(Body):
    """A rule as it is kept."""

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
    words: str = Field(examples=["price falls by more than 50 % within 1 h"], description="The condition in words.")
    editable: bool = Field(description="False for the built-in rule, which the settings make.")
    states: dict[str, int] = Field(description="How many metrics are in which state.")


class KeptAverage(OfAverage):
    window_seconds: int = Field(ge=1)  # the built-in rule's window may be any


AnyCondition = KeptAverage | OfChange | OfLevel | OfPlace | OfSilence


class RuleList(Body):
    rules: list[Rule] = Field(description="The built-in one first.")


class OneRule(Body):
    rule: Rule


class ReplayOrder(Body):
    rule: NewRule | Literal[0] = Field(description="0 for the built-in rule.")
    since: datetime | None = Field(default=None, examples=["2026-02-28T12:00:00Z"], description="24 h without it.")
    until: datetime | None = Field(default=None, examples=[NOON], description="The running period without it.")


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
    metrics: list[ReplayedMetric] = Field(description="Those that it would have fired on most, first.")
    firings: list[ReplayedFiring] = Field(description="The newest.")


class ReplayEvent(Body):
    """One server-sent event of a replay that is followed."""

    event: Literal["progress", "result", "problem"]
    data: str = Field(
        examples=['{"share": 0.25}'],
        description="Of `progress` an object with `share`: how much is done, 0 to 1, null while another replay is under"
        " way. The last is a `result`, the answer as JSON has it, or a `problem`, with `status` and `detail`.",
        json_schema_extra={"contentMediaType": "application/json"},
    )


class Acknowledgement(Body):
    note: Note | None = Field(default=None, examples=["Looking into it"])


class AcknowledgeAll(Acknowledgement):
    up_to: int = Field(ge=0, le=MAX_RECORD_ID, examples=[42], description="Number of the newest alert meant.")


class Acknowledged(Body):
    count: int = Field(ge=0, description="How many alerts that was.")


class OneAlert(Body):
    alert: FiredAlert


class NewMute(Body):
    """What is to be told to nobody: a rule, a metric, or the one on the other."""

    rule: Annotated[int, Field(ge=0)] | None = Field(default=None, description="0 for the built-in rule.")
    metric: int | str | None = Field(default=None, examples=["kraken:BTC-USD"], description="Its number or key.")
    until: datetime | None = Field(default=None, examples=[NOON], description="For good without it.")
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
