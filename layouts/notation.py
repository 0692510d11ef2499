"""How prices, shares and moments are written. assets/1-notation.js writes the same in the browser."""

import math
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from services.market.alert_rules import BUILT_IN_NAME
from services.market.types import Alert

UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
SMALLEST_WRITTEN_OUT = 1e-12
LARGEST_ROUNDED = 1e15  # above it a float has no halves left
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def price(value: float | None) -> str:
    """An amount of quote currency with the digits that matter: 60,123.40, 142.37, 1.0850, 0.00002345."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    if abs(value) < SMALLEST_WRITTEN_OUT:
        return f"{value:.3e}".replace("-", MINUS)
    return _fixed(value, decimals(value))


def _fixed(value: float, places: int) -> str:
    """`value` with so many decimal places, halves of its shortest decimal form away from zero, as browsers round."""
    if not abs(value) < LARGEST_ROUNDED:
        return f"{value:,.{places}f}".replace("-", MINUS)
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded:,f}".replace("-", MINUS)


def decimals(value: float) -> int:
    """How many decimal places show four significant digits of `value`, and cents at the least."""
    size = max(abs(value), SMALLEST_WRITTEN_OUT)
    return 2 if size >= 100 else 4 if size >= 1 else 3 - math.floor(math.log10(size))


def change(fraction: float | None) -> str:
    """A signed percentage: +1.25 %. What rounds to nothing has no sign."""
    return _signed(fraction, 2)


def spread(fraction: float | None) -> str:
    """How far one price is from another, signed, to three decimals: what differs between markets is small."""
    return _signed(fraction, 3)


def share(fraction: float | None) -> str:
    """An unsigned percentage: 1.35 %; four digits where two would show nothing."""
    if fraction is None:
        return UNKNOWN
    percent = fraction * 100
    return f"{_fixed(percent, 4 if 0 < percent < 0.1 else 2)} %"


def amount(value: float | None) -> str:
    """A rounded count of units: 950.3, 12.4 K, 1.23 B."""
    if value is None:
        return UNKNOWN
    for size, unit in UNITS:
        if abs(value) >= size:
            return f"{_fixed(value / size, 2)} {unit}"
    return _fixed(value, 2)


def multiple(value: float, average: float) -> str:
    """How many times the average a price is, to a tenth."""
    return f"{value / average:.1f}{TIMES}"


def rule_name(alert: Alert) -> str:
    """What the rule was called when the alert fired."""
    return alert.rule or BUILT_IN_NAME


def cause(alert: Alert) -> str:
    """Why an alert fired: how many times its average the price was, or what a rule says of it."""
    if alert.condition is not None or alert.average is None:
        return alert.condition or UNKNOWN
    return multiple(alert.price, alert.average)


def sentence(alert: Alert) -> str:
    """The same with the rule's name, where it is not the built-in one: Halved: price down by more than 50 % in 1 h."""
    if alert.condition is None:
        return f"{cause(alert)} its average"
    return f"{alert.rule}: {alert.condition}"


def milliseconds(value: float | None) -> str:
    """A duration as people read it: 340 ms, 2.4 s."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"


def size(count: int | None) -> str:
    """A number of bytes to three digits: 812 kB, 4.21 MB, 42.1 MB, 1.20 GB."""
    if count is None:
        return UNKNOWN
    for unit, name in SIZES:
        value = abs(count) / unit
        if value >= 0.9995:  # what would round to a thousand of the next smaller unit is one of this
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{MINUS * (count < 0)}{value:,.{digits}f} {name}"
    return f"{count} B".replace("-", MINUS)


def zone_named(name: object) -> tzinfo:
    """The time zone a browser says it is in; UTC where that is not one (the name comes from outside)."""
    if not isinstance(name, str):
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return UTC


def zone_label(zone: tzinfo) -> str:
    """What to call `zone` beside a time."""
    return "UTC" if zone is UTC else str(zone)


def clock(moment: datetime | None, zone: tzinfo) -> str:
    """Time of day, with seconds where there are any: 14:03."""
    if moment is None:
        return UNKNOWN
    local = moment.astimezone(zone)
    return local.strftime("%H:%M:%S" if local.second else "%H:%M")


def stamp(moment: datetime | None, zone: tzinfo) -> str:
    """Date and time of day: 1 Mar 2026, 14:03."""
    if moment is None:
        return UNKNOWN
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %Y}, {clock(moment, zone)}"


def _signed(fraction: float | None, decimals: int) -> str:
    if fraction is None:
        return UNKNOWN
    text = f"{_fixed(abs(fraction) * 100, decimals)} %"
    if float(text[:-2].replace(",", "")) == 0:
        return text
    return ("+" if fraction > 0 else MINUS) + text
