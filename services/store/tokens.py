"""API tokens, stored as digests only."""

from datetime import datetime, timedelta
from threading import Lock, Thread
from typing import Any

from sqlalchemy import insert, or_, select, update

from services.concurrency.last_known import LastKnown
from services.market import tokens
from services.market.errors import StoreUnavailable
from services.market.failures import Failures
from services.market.present import is_unexpired
from services.market.times import from_epoch, to_epoch
from services.market.tokens import Scope, Token
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import TokenRow

MAX_AGE = timedelta(seconds=1)
"""How long a process uses the tokens that it last read."""

TIMEOUT_SECONDS = 0.75
"""How long a request waits for the database to read them."""

MAX_AGE_IN_OUTAGE = timedelta(minutes=10)
"""How long a token that was valid stays valid while the database is unavailable."""

USE_PRECISION = timedelta(minutes=1)
"""The precision of a token's last use: a commit for each request would cost too much."""

USE_THREAD = "token use"
"""The name of the thread that records a use."""


class TokenStore:
    """A TokenBook over the database. All methods raise StoreUnavailable."""

    def __init__(self, engine: Engine, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._engine = engine
        self._known = LastKnown(self._valid, timeout_seconds, MAX_AGE.total_seconds())
        self._lock = Lock()
        self._recorded: dict[int, datetime] = {}
        self._recording = Lock()
        self._failures = Failures()

    def holder(self, secret: str, now: datetime) -> Token | None:
        """The token of this text, if it exists and is not revoked; its use is recorded soon after.

        While the database is unavailable, a token that was valid when last read stays valid for MAX_AGE_IN_OUTAGE.
        Others
        may be new: they raise StoreUnavailable.
        """
        found = self._known.get(now.timestamp(), None).get(tokens.digest(secret))
        if self._known.away_since is not None:
            if found is None or self._known.age(now.timestamp()) > MAX_AGE_IN_OUTAGE.total_seconds():
                raise StoreUnavailable("the database does not answer whether this token is valid")
            return found
        if found is not None:
            self._record_use_soon(found, now)
        return found

    def all(self) -> tuple[Token, ...]:
        """All tokens, revoked or not, newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(TokenRow.__table__).order_by(TokenRow.id.desc()))
            return tuple(_token(row) for row in rows)

    def issue(self, name: str, scope: Scope, now: datetime) -> tuple[str, Token]:
        """Create a token. Returns its secret, which is not stored, and its record. Raises ValueError for a bad name."""
        secret = tokens.new_secret()
        values = {
            "name": tokens.usable_name(name),
            "beginning": tokens.beginning(secret),
            "digest": tokens.digest(secret),
            "scope": scope,
            "created_at": to_epoch(now),
        }
        with writing(self._engine) as connection:
            made = connection.execute(insert(TokenRow).values(values).returning(*TokenRow.__table__.columns)).one()
        self._known.forget()
        return secret, _token(made)

    def revoke(self, number: int, now: datetime) -> bool:
        """Revoke a token, for this process at once and for others within MAX_AGE; False if there is no valid one."""
        ended = update(TokenRow).where(TokenRow.id == number, TokenRow.revoked_at.is_(None))
        with writing(self._engine) as connection:
            found = connection.execute(ended.values(revoked_at=to_epoch(now))).rowcount
        self._known.forget()
        return bool(found)

    def _valid(self) -> dict[str, Token]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(TokenRow.__table__).where(TokenRow.revoked_at.is_(None))).all()
        return {row.digest: _token(row) for row in rows}

    def _record_use_soon(self, token: Token, now: datetime) -> None:
        """Record the use in a thread, if that is due and no other use is being recorded."""
        with self._lock:
            recorded = self._recorded.get(token.id)
            if recorded is not None and timedelta() <= now - recorded < USE_PRECISION:
                return
            if not self._recording.acquire(blocking=False):
                return
            self._recorded[token.id] = now
        Thread(target=self._record_use, args=(token, now), name=USE_THREAD, daemon=True).start()

    def _record_use(self, token: Token, now: datetime) -> None:
        second = to_epoch(now)
        # Another process may have recorded a later use. One ahead of the clock is wrong, and is replaced.
        last = TokenRow.last_used_at
        older = or_(last.is_(None), ~is_unexpired(last, second - 1, USE_PRECISION.total_seconds()))
        try:
            with writing(self._engine) as connection:
                connection.execute(update(TokenRow).where(TokenRow.id == token.id, older).values(last_used_at=second))
        except StoreUnavailable as error:  # the request matters more than the record of it
            text = f"the use of {token.beginning} is not recorded: {error}"
            self._failures.failed("tokens", text, reason=str(error))
        else:
            self._failures.ended("tokens", "their use is recorded again")
        finally:
            self._recording.release()


def _token(row: Any) -> Token:
    return Token(
        row.id,
        row.name,
        row.beginning,
        row.scope,
        from_epoch(row.created_at),
        from_epoch(row.last_used_at),
        from_epoch(row.revoked_at),
    )
