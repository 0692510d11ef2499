"""API tokens: what a program shows to be let in."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

MARK = "dt_"
SECRET_BYTES = 32
SHOWN_CHARACTERS = len(MARK) + 6
MAX_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it is kept: by its beginning a person knows it, by its digest the program."""

    id: int
    name: str
    beginning: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


def new_secret() -> str:
    """A new token's text, of 256 random bits; it is shown once and kept nowhere."""
    return MARK + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """What is kept of a token. One round is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def beginning(secret: str) -> str:
    """So much of a token as may be shown."""
    return secret[:SHOWN_CHARACTERS]


def usable_name(text: str) -> str:
    """What a token may be called: one line of visible characters. Raises ValueError."""
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(f"a token needs a name of 1 to {MAX_NAME_LENGTH} visible characters")
    return name
