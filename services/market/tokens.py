"""API tokens: the credentials of programs."""

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
    """A token as stored. People recognise it by its beginning, the program by its digest."""

    id: int
    name: str
    beginning: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


def new_secret() -> str:
    """A new token's secret, of 256 random bits. It is shown once and never stored."""
    return MARK + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """The digest of a token, which is stored. One round of hashing is enough for 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def beginning(secret: str) -> str:
    """The first characters of a token, which may be shown."""
    return secret[:SHOWN_CHARACTERS]


def usable_name(text: str) -> str:
    """Normalise the name of a token: one line of visible characters. Raises ValueError."""
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(f"a token needs a name of 1 to {MAX_NAME_LENGTH} visible characters")
    return name
