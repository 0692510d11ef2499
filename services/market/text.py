"""Texts from outside: numbers in them, and how they are made safe to show, log and store."""

from unicodedata import category

MAX_NOTE_LENGTH = 500
"""The most characters of a note."""

MAX_ID_DIGITS = 18
"""The most digits of a number of a metric or another record: within the range of a database's integers."""


def number_in(text: str | None, max_digits: int = MAX_ID_DIGITS) -> int | None:
    """The whole number that `text` writes in at most `max_digits` ASCII digits; None for any other text."""
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= max_digits
    return int(text) if text is not None and is_number else None


def number_or_key(text: str) -> int | str:
    """How `text` names a metric: the number that it writes, or else itself, as a key."""
    number = number_in(text)
    return text if number is None else number


def is_plain(text: str) -> bool:
    """True if `text` has no control characters other than line breaks and tabs, and no lone surrogates: a database may
    refuse these."""
    return all(character in "\n\r\t" or category(character) not in ("Cc", "Cs") for character in text)


def one_line(text: str, most: int) -> str:
    """`text` in one line of at most `most` visible characters.

    Characters that change the direction of writing, move a terminal's cursor or end a text early become spaces.
    """
    visible = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(visible.split())[:most]
