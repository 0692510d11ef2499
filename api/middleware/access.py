"""Authentication: by password, token, or a proxy's header."""

import hmac
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

import flask
from werkzeug import Request

from api.environ import PEER, VISITOR
from services.market.ports import TokenBook

MAX_NAME_LENGTH = 200

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Visitor:
    """An authenticated client; without `may_write` it may only read."""

    name: str
    may_write: bool = True
    counted_as: str | None = None
    """The key that its requests are counted under; None for its address."""


ANYBODY = Visitor("anybody")
"""Every visitor of an open server."""


@dataclass(frozen=True, slots=True)
class ProxyUsers:
    """The header in which a trusted proxy names the user, and the networks of such proxies."""

    header: str
    networks: tuple[Network, ...]

    def user_of(self, request: Request) -> str | None:
        """The user's name; None if the header is missing, cannot be a name, or does not come from a trusted proxy."""
        name = request.headers.get(self.header, "").strip()
        # Two headers are joined by a comma, and one of them may be the visitor's own.
        is_valid = 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and "," not in name
        return name if is_valid and self._has(peer_of(request)) else None

    def _has(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:  # a socket in the file system has none
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)


@dataclass(frozen=True)
class Access:
    """The ways to authenticate. Without credentials and proxy the server is open."""

    credentials: tuple[str, str] | None = None
    """User name and password, by HTTP Basic authentication."""
    proxy: ProxyUsers | None = None
    tokens: TokenBook | None = None
    """API tokens, by HTTP Bearer authentication. A wrong one is refused by an open server too."""

    @property
    def is_closed(self) -> bool:
        return self.credentials is not None or self.proxy is not None

    def visitor(self, request: Request, now: datetime) -> Visitor | None:
        """The visitor who sends `request`; None if not authenticated. Raises StoreUnavailable."""
        if self.proxy is not None:
            name = self.proxy.user_of(request)
            if name is not None:
                return Visitor(name)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic" and self.credentials is not None:
            right = hmac.compare_digest(given.strip().encode(), self._expected)
            return Visitor(self.credentials[0]) if right else None
        if scheme.lower() == "bearer" and self.tokens is not None:
            token = self.tokens.holder(given.strip(), now)
            if token is None:
                return None
            return Visitor(f"token {token.beginning}", token.scope == "write", counted_as=f"token {token.id}")
        return None if self.is_closed else ANYBODY

    @property
    def challenge(self) -> str:
        """The `WWW-Authenticate` of a 401; a browser prompts its user only for Basic."""
        if self.credentials is None:
            return 'Bearer realm="Data Tracker"'
        return 'Basic realm="Data Tracker", charset="UTF-8"'

    @cached_property
    def _expected(self) -> bytes:
        return b64encode(":".join(self.credentials or ()).encode())


OPEN = Access()
"""No authentication."""


def peer_of(request: Request) -> str:
    """The address at the other end of the connection, whatever the headers say."""
    peer: str = request.environ.get(PEER, request.remote_addr) or ""
    return peer


def visitor_name() -> str | None:
    """The name of the current request's visitor; None on an open server."""
    visitor: Visitor = flask.request.environ.get(VISITOR, ANYBODY)
    return None if visitor is ANYBODY else visitor.name
