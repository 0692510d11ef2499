"""Notifications: one message per tick and channel, however many alerts it has."""

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
"""Why an alert ended although its value is not back, as text."""

LISTED = 20
"""The most alerts that a message lists; it gives the number of further ones."""

MAX_NAME_LENGTH = 80  # characters


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert of a message, and what happened to it."""

    kind: Kind
    alert: Alert


@dataclass(frozen=True, slots=True)
class Message:
    """A notification about `fired` + `resolved` alerts; `entries` are the first of them.

    `key` identifies the message: it stays the same when the message is sent again.
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
    """The delivery of one message to one channel, after `attempts`; a queued one is tried next at `due_at`.

    `error` is why the last attempt failed; `first` is the message's first alert.
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
        """The title of the message."""
        return title_of(self.first, self.fired, self.resolved)


def compose(key: str, at: datetime, entries: tuple[Entry, ...], fired: int, resolved: int) -> Message:
    """The message about `fired` + `resolved` alerts, of which `entries` are the first and most important.

    The text ends with the key, so that people recognise a repeat too.
    """
    more = fired + resolved - len(entries)
    lines = [_row(entry) for entry in entries] if fired + resolved > 1 else [_sentence(entries[0])]
    if more:
        lines.append(f"and {more:,} more")
    title = title_of(entries[0], fired, resolved)
    return Message(key, at, title, "\n".join([*lines, f"[{key}]"]), fired, resolved, entries)


def trial(key: str, at: datetime, channel: str) -> Message:
    """A test message."""
    text = f"The channel {channel} works: it will receive the alerts of Data Tracker.\n[{key}]"
    return Message(key, at, "Test from Data Tracker", text)


def title_of(first: Entry, fired: int, resolved: int) -> str:
    """One line about what happened."""
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
    """The figures of an alert: the value, what it was compared with, and the price."""
    if alert.value is None:
        return f"the last price was {_amount('price', alert.price, alert)}"
    text = _amount(alert.quantity, alert.value, alert)
    if alert.reference is not None:
        text += f", {'before' if alert.factor is None else 'average'} {_amount(alert.quantity, alert.reference, alert)}"
    if alert.quantity != "price":
        text += f", at a price of {_amount('price', alert.price, alert)}"
    return text


def _amount(quantity: str, value: float, alert: Alert) -> str:
    if quantity == "rank":
        return f"rank {value:.0f}"
    if quantity == "volatility":
        return f"{100 * value:.3g} %"
    return f"{value:.8g} {one_line(alert.base, MAX_NAME_LENGTH) if quantity == 'volume' else _unit(alert)}"


def _rule(alert: Alert) -> str:
    return one_line(alert.rule or "", MAX_NAME_LENGTH)


def _name(alert: Alert) -> str:
    # The name comes from an exchange. It was checked on arrival; here it must not pass for text of the message.
    return one_line(f"{alert.pair} on {alert.market}", MAX_NAME_LENGTH)


def _unit(alert: Alert) -> str:
    return one_line(alert.quote, MAX_NAME_LENGTH)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
