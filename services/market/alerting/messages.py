"""What channels are told: one message a tick and channel, however many alerts it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from services.market.alerting.alerts import Alert, Reason
from services.market.text import one_line

Kind = Literal["fired", "resolved"]
"""What happened to an alert."""

DeliveryState = Literal["queued", "sent", "failed"]

END_REASONS: Mapping[Reason, str] = {
    "average_caught_up": "its average caught up",
    "window_moved_on": "its window moved on",
}
"""Why an alert ended although its value is not back, in words."""

LISTED = 20
"""Alerts that a message names; of further ones it tells how many there are."""

MAX_NAME_LENGTH = 80  # characters


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert of a message, and what happened to it."""

    kind: Kind
    alert: Alert


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: `entries` are the first of the `fired` + `resolved` alerts that it is about.

    `key` is the same whenever the same message is sent again, and never another one's.
    """

    key: str
    at: datetime
    title: str
    text: str
    fired: int = 0
    resolved: int = 0
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one message to one channel does: `attempts` were made, the next one is at `due_at` while it is queued.

    `error` is why the last attempt failed; `first` is the first of its alerts.
    """

    id: int
    channel: str
    state: DeliveryState
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    attempts: int
    error: str | None
    fired: int
    resolved: int
    first: Entry

    @property
    def title(self) -> str:
        """The message's one line."""
        return title_of(self.first, self.fired, self.resolved)


def compose(key: str, at: datetime, entries: tuple[Entry, ...], fired: int, resolved: int) -> Message:
    """The message about `fired` + `resolved` alerts, of which `entries` are the first, the most important ones.

    The text ends with the key, by which people too recognise a repeat.
    """
    more = fired + resolved - len(entries)
    lines = [_row(entry) for entry in entries] if fired + resolved > 1 else [_sentence(entries[0])]
    if more:
        lines.append(f"and {more:,} more")
    title = title_of(entries[0], fired, resolved)
    return Message(key, at, title, "\n".join([*lines, f"[{key}]"]), fired, resolved, entries)


def trial(key: str, at: datetime, channel: str) -> Message:
    """A message that only shows that it arrives."""
    text = f"The channel {channel} works: alerts of Data Tracker will come this way.\n[{key}]"
    return Message(key, at, "Test from Data Tracker", text)


def title_of(first: Entry, fired: int, resolved: int) -> str:
    """One line that says what happened."""
    if fired + resolved == 1:
        return _headline(first)
    counts = [f"{fired:,} alert{'s' * (fired != 1)}"] * (fired > 0) + [f"{resolved:,} resolved"] * (resolved > 0)
    return f"{', '.join(counts)}: {_headline(first)}, and {fired + resolved - 1:,} more"


def _headline(entry: Entry) -> str:
    alert = entry.alert
    if entry.kind == "resolved":
        return f"{_name(alert)}: {'' if alert.rule is None else _rule(alert) + ' '}resolved"
    if alert.rule is not None:
        return f"{_name(alert)}: {_rule(alert)}"
    assert alert.average is not None  # the built-in rule fires on nothing else
    return f"{_name(alert)}: {alert.price / alert.average:.1f} x its average"


def _row(entry: Entry) -> str:
    alert = entry.alert
    if entry.kind == "resolved":
        return f"{_headline(entry)}{_because(alert)}, alerted at {_moment(alert.fired_at)}"
    if alert.rule is not None:
        return f"{_headline(entry)} ({alert.condition}: {_figures(alert)})"
    return f"{_headline(entry)} ({alert.price:.8g} {_unit(alert)}, average {alert.average:.8g})"


def _sentence(entry: Entry) -> str:
    alert = entry.alert
    if alert.rule is not None:
        if entry.kind == "resolved":
            over = f"no longer meets the rule {_rule(alert)}{_because(alert)}"
            begin = f"{_name(alert)} {over}, as it did at {_moment(alert.fired_at)}"
        else:
            begin = f"{_name(alert)} met the rule {_rule(alert)} at {_moment(alert.fired_at)}"
        return f"{begin}: {alert.condition} ({_figures(alert)})."
    figures = (
        f"{alert.price:.8g} {_unit(alert)} at {_moment(alert.fired_at)}, more than {alert.factor:g} x "
        f"{alert.average:.8g}, the average of the {alert.samples} prices before."
    )
    if entry.kind == "resolved":
        if alert.reason is not None:
            return f"{_name(alert)} has resolved{_because(alert)}. It was {figures}"
        return f"{_name(alert)} is back to usual. It was {figures}"
    return f"{_name(alert)} was {figures}"


def _because(alert: Alert) -> str:
    return "" if alert.reason is None else f" ({END_REASONS[alert.reason]})"


def _figures(alert: Alert) -> str:
    """What a rule that somebody wrote saw: the value, what that was compared with, and the price."""
    if alert.value is None:
        return f"the last price was {_amount('price', alert.price, alert)}"
    words = _amount(alert.quantity, alert.value, alert)
    if alert.reference is not None:
        words += (
            f", {'before' if alert.factor is None else 'average'} {_amount(alert.quantity, alert.reference, alert)}"
        )
    if alert.quantity != "price":
        words += f", at a price of {_amount('price', alert.price, alert)}"
    return words


def _amount(quantity: str, value: float, alert: Alert) -> str:
    if quantity == "rank":
        return f"rank {value:.0f}"
    if quantity == "volatility":
        return f"{100 * value:.3g} %"
    return f"{value:.8g} {one_line(alert.base, MAX_NAME_LENGTH) if quantity == 'volume' else _unit(alert)}"


def _rule(alert: Alert) -> str:
    return one_line(alert.rule or "", MAX_NAME_LENGTH)


def _name(alert: Alert) -> str:
    # Names come from exchanges. What cannot be one was refused there; a message is where it would be taken for ours.
    return one_line(f"{alert.pair} on {alert.market}", MAX_NAME_LENGTH)


def _unit(alert: Alert) -> str:
    return one_line(alert.quote, MAX_NAME_LENGTH)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
