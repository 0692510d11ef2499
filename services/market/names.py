"""What a currency may be called: its name goes into addresses, files, pages and messages."""

from unicodedata import category, name, normalize

MAX_NAME = 30
"""Characters of one currency's name."""

PUNCTUATION = "._$@+"
"""Beside letters and digits. What separates names in keys, addresses and TRACK (`:/-,*?`) is none of it."""

_UNSEEN = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_UNSEEN |= set(range(0xE0100, 0xE01F0))
"""Marks and letters that show nothing: joiners, fillers and variation selectors (Unicode's Default_Ignorable)."""

_LIKE_LATIN = ("ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK")
"""Scripts in which letters pass for Latin ones (Unicode Technical Standard 39): by themselves they are welcome."""


def normal(text: str) -> str:
    """The one form (NFC) in which texts that look the same and mean the same are equal."""
    return normalize("NFC", text)


def fault_of(code: str) -> str | None:
    """Why no currency can be tracked under this name, in words that follow "its name"; None where it can.

    Letters and digits of every script do, and some punctuation within; nothing does that cannot be seen, that turns
    the direction of writing, or that is written in characters made to look like others.
    """
    if not code:
        return "is empty"
    if len(code) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    for character in code:
        if not _is_allowed(character):
            return f"holds {_shown(character)}"
    if category(code[0])[0] not in "LN" and code[0] not in "$@":
        return f"begins with {_shown(code[0])}"
    if normalize("NFKC", code) != normal(code):
        return "is written in characters that stand for others"
    scripts = {name(character, "").partition(" ")[0] for character in code}
    if "LATIN" in scripts and scripts & set(_LIKE_LATIN):
        return f"mixes Latin letters with {min(scripts & set(_LIKE_LATIN)).capitalize()} ones"
    return None


def shown(text: object) -> str:
    """What may be anything, as it is told in logs and on pages: what could mislead is escaped, and not much of it."""
    return ascii(str(text)[: MAX_NAME + 10])[1:-1]


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in PUNCTUATION
    return category(character) in ("Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Mn", "Nd") and ord(character) not in _UNSEEN


def _shown(character: str) -> str:
    """The character itself where it can be seen by itself, else its number."""
    alone = character.isprintable() and not character.isspace() and category(character)[0] != "M"
    return repr(character) if alone and ord(character) not in _UNSEEN else f"the character U+{ord(character):04X}"
