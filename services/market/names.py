"""Valid names of currencies: they go into addresses, files, pages and messages."""

from unicodedata import category, name, normalize

MAX_NAME = 30
"""The most characters of a currency's name."""

PUNCTUATION = "._$@+"
"""Allowed besides letters and digits. The separators of keys, addresses and TRACK (`:/-,*?`) are not."""

_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_INVISIBLE |= set(range(0xE0100, 0xE01F0))
"""Characters without a glyph: joiners, fillers and variation selectors (Unicode's Default_Ignorable)."""

_LIKE_LATIN = ("ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK")
"""Scripts with letters that look like Latin ones (Unicode Technical Standard 39). They are allowed unmixed."""


def normal(text: str) -> str:
    """Unicode form NFC: texts that look and mean the same become equal."""
    return normalize("NFC", text)


def fault_of(code: str) -> str | None:
    """Why a currency of this name cannot be tracked, as text that follows "its name"; None if it can.

    Allowed are letters and digits of every script, and some punctuation. Not allowed are invisible characters, those
    that change the direction of writing, and those that imitate others.
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
    """Any text, made safe for logs and pages: shortened, with misleading characters escaped."""
    return ascii(str(text)[: MAX_NAME + 10])[1:-1]


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in PUNCTUATION
    return category(character) in ("Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Mn", "Nd") and ord(character) not in _INVISIBLE


def _shown(character: str) -> str:
    """The character itself if it is visible alone, else its number."""
    alone = character.isprintable() and not character.isspace() and category(character)[0] != "M"
    return repr(character) if alone and ord(character) not in _INVISIBLE else f"the character U+{ord(character):04X}"
