"""What a note may be written with."""

from unicodedata import category

LONGEST_NOTE = 500
"""Characters that are kept of what somebody says."""


def is_plain(text: str) -> bool:
    """Whether it is free of control characters but line breaks and tabs, and of halves of characters: what cannot be
    seen, and what a database may refuse."""
    return all(character in "\n\r\t" or category(character) not in ("Cc", "Cs") for character in text)
