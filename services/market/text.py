"""Texts from outside, made safe to show, log and store."""

from unicodedata import category

MAX_NOTE_LENGTH = 500
"""The most characters of a note."""


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
