"""Formats prices, shares and times. assets/1-notation.js formats them alike in the browser."""

import math
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from services.market.alerting.alerts import Alert
from services.market.alerting.rules import BUILT_IN_NAME
from services.market.times import DAY, HOUR, MINUTE

UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
MIN_WRITTEN_OUT = 1e-12
MAX_ROUNDED = 1e15  # above it a float has no halves
UNITS = ((1e3, "K"), (1e6, "M"), (1e9, "B"), (1e12, "T"))
SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

WIDEST = {
    "priceText": "999,999,999",
    "changeText": "+9.99e99 %",
    "shareText": "9.99e99 %",
    "amountText": "999.99 M",
    "wholeText": "999,999",
}
"""The widest text of each notation of the browser, up to 1e99. A column with room for it never cuts a number."""


def price(value: float | None) -> str:
    """An amount of quote currency with at least four significant digits, in at most eleven characters:
    60,123.40, 1.0850, 0.00002345, 0.0₉1010 (nine zeros after the point), 140,000,000, 1.650 B, 1.000e22."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    digits, power = _significant(value, 4)
    sign = MINUS * (value < 0)
    if power >= 15:
        return f"{sign}{digits[0]}.{digits[1:]}e{power}"
    if power >= 9:
        whole = power % 3 + 1
        return f"{sign}{digits[:whole]}.{digits[whole:]} {'B' if power < 12 else 'T'}"
    if power >= 6:
        return _fixed(value, 0)
    return _fraction(value, 4) if power < 0 else _fixed(value, 2 if abs(value) >= 99.99995 else 4)


def _fraction(value: float, count: int) -> str:
    """A number below one with `count` significant digits; five or more zeros after the point are abbreviated."""
    digits, power = _significant(value, count)
    if power >= -5:
        return _fixed(value, count - 1 - power)
    return f"{MINUS * (value < 0)}0.0{str(-power - 1).translate(SUBSCRIPTS)}{digits}"


def _significant(value: float, count: int) -> tuple[str, int]:
    """The first `count` digits of `value`, rounded as `_fixed` does, and the power of ten of the first of them."""
    shortest = Decimal(repr(abs(float(value))))
    rounded = shortest.quantize(Decimal(1).scaleb(shortest.adjusted() - count + 1), ROUND_HALF_UP)
    return "".join(map(str, rounded.as_tuple().digits))[:count], rounded.adjusted()


def _fixed(value: float, places: int) -> str:
    """`value` with so many decimal places. Halves of its shortest decimal form round away from zero, as in browsers."""
    if not abs(value) < MAX_ROUNDED:
        return f"{value:,.{places}f}".replace("-", MINUS)
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded:,f}".replace("-", MINUS)


def decimals(value: float) -> int:
    """The decimal places that show four significant digits of `value`; at least two."""
    size = max(abs(value), MIN_WRITTEN_OUT)
    return 2 if size >= 100 else 4 if size >= 1 else 3 - math.floor(math.log10(size))


def change(fraction: float | None) -> str:
    """A signed percentage: +1.25 %, +12,500 %, +1.25 M %. Zero has no sign."""
    return _signed(fraction, 2)


def spread(fraction: float | None) -> str:
    """The difference of two prices as a signed percentage with three decimals."""
    return _signed(fraction, 3)


def share(fraction: float | None) -> str:
    """An unsigned percentage: 1.35 %; below 0.1 % with four decimals."""
    if fraction is None:
        return UNKNOWN
    percent = fraction * 100
    return f"{_shortened(percent, 4 if 0 < percent < 0.1 else 2)} %"


def amount(value: float | None) -> str:
    """A rounded number of units: 950.30, 12.40 K, 1.23 B; below 0.01 with two significant digits."""
    if value is None:
        return UNKNOWN
    if 0 < abs(value) < 0.01:
        return _fraction(value, 2)
    return _fixed(value, 2) if abs(value) < 999.995 else _in_units(value, 2)


def multiple(value: float, average: float) -> str:
    """The price as a multiple of its average, with one decimal below a thousand."""
    return f"{_shortened(value / average, 1)}{TIMES}"


def _shortened(value: float, places: int) -> str:
    """`value` with so many decimal places below a thousand, whole up to 99,999, and in units beyond."""
    if abs(value) < 1000 - 10**-places / 2:
        return _fixed(value, places)
    return _fixed(value, 0) if abs(value) < 99_999.5 else _in_units(value, 0)


def _in_units(value: float, places: int) -> str:
    """`value` in thousands, millions and so on, with at least three digits: 123 K, 1.23 M."""
    for size, unit in UNITS:
        scaled = value / size
        if abs(scaled) < 1000 - 10**-places / 2:
            more = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            return f"{_fixed(scaled, max(places, more))} {unit}"
    digits, power = _significant(value, 3)
    return f"{MINUS * (value < 0)}{digits[0]}.{digits[1:]}e{power}"


def rule_name(alert: Alert) -> str:
    """The name of the rule when the alert fired."""
    return alert.rule or BUILT_IN_NAME


def cause(alert: Alert) -> str:
    """Why an alert fired: the price as a multiple of its average, or the condition of the rule."""
    if alert.condition is not None or alert.average is None:
        return alert.condition or UNKNOWN
    return multiple(alert.price, alert.average)


def sentence(alert: Alert) -> str:
    """The cause, after the name of the rule if people wrote it: `Halved: price falls by more than 50 % within 1 h`."""
    if alert.condition is None:
        return f"{cause(alert)} its average"
    return f"{alert.rule}: {alert.condition}"


def milliseconds(value: float | None) -> str:
    """A duration: 340 ms, 2.4 s."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"


def duration(seconds: float) -> str:
    """A span of time in the largest unit of which it has at least two: 90 s, 5 min, 3 h, 12 d."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)} {name}"
    return f"{max(int(seconds), 0)} s"


def age(moment: datetime, now: datetime) -> str:
    """The age of something: 5 min old."""
    return f"{duration((now - moment).total_seconds())} old"


def window(coverage: float, hours: float) -> str:
    """How much of a window of `hours` has prices: 3 h of 24 h, 45 min of 24 h."""
    known = coverage * hours
    return (
        f"{known * 60:.0f} min of {hours:g} h"
        if known < 2
        else f"{math.floor(known * 10 + 0.001) / 10:g} h of {hours:g} h"
    )


def size(count: int | None) -> str:
    """A number of bytes to three digits: 812 kB, 4.21 MB, 42.1 MB, 1.20 GB."""
    if count is None:
        return UNKNOWN
    for unit, name in SIZES:
        value = abs(count) / unit
        if value >= 0.9995:  # 999.5 of the smaller unit would round to 1000
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{MINUS * (count < 0)}{value:,.{digits}f} {name}"
    return f"{count} B".replace("-", MINUS)


def zone_named(name: object) -> tzinfo:
    """The time zone of a browser; UTC if there is none of this name, which comes from outside."""
    if not isinstance(name, str):
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return UTC


def zone_label(zone: tzinfo) -> str:
    """The name of `zone` next to a time."""
    return "UTC" if zone is UTC else str(zone)


def clock(moment: datetime | None, zone: tzinfo) -> str:
    """Time of day, with seconds if they are not zero: 14:03."""
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


def clock_or_stamp(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day, with the date if that is not today."""
    is_today = moment.astimezone(zone).date() == now.astimezone(zone).date()
    return clock(moment, zone) if is_today else stamp(moment, zone)


def _signed(fraction: float | None, decimals: int) -> str:
    if fraction is None:
        return UNKNOWN
    percent = abs(fraction) * 100
    text = f"{_shortened(percent, decimals)} %"
    if percent < 10**-decimals / 2:
        return text
    return ("+" if fraction > 0 else MINUS) + text
