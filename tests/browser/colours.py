"""Computed colours of the browser, and the contrast between two of them (WCAG 2)."""

import re
from typing import NamedTuple


class Colour(NamedTuple):
    red: float
    green: float
    blue: float


def colour(text: str) -> Colour:
    """`rgb(24, 32, 51)`, as in a computed style; AssertionError if it is translucent."""
    parts = [float(part) for part in re.findall(r"[\d.]+", text)]
    assert len(parts) == 3, text
    return Colour(*parts)


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2, 1 to 21."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(of: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in of)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return float(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
