"""Texts from outside, made safe to show, log and store."""

from unicodedata import category

MAX_NOTE_LENGTH = 500
"""Characters that are kept of what somebody says."""


def is_plain(text: str) -> bool:
    """Whether it is free of control characters but line breaks and tabs, and of halves of characters: what cannot be
    seen, and what a database may refuse."""
    return all(character in "\n\r\t" or category(character) not in ("Cc", "Cs") for character in text)


def one_line(text: str, most: int) -> str:
    """At most `most` characters of `text` in one line, each a visible one.

    What turns the direction of writing, moves a terminal's cursor or ends a text early becomes a space.
    """
    visible = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(visible.split())[:most]
