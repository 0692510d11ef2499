"""Who may come in, and how they prove who they are."""

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
    """Who has come in. One who may not write may ask for everything, and change nothing."""

    name: str
    may_write: bool = True
    counted_as: str | None = None
    """Whose requests these are counted as; None where the address says it best."""


ANYBODY = Visitor("anybody")
"""Who comes to a server that asks nobody for a name."""


@dataclass(frozen=True, slots=True)
class ProxyUsers:
    """The header in which a proxy names the user it has let in, and where such proxies are."""

    header: str
    networks: tuple[Network, ...]

    def named(self, request: Request) -> str | None:
        """The user's name; None where the header is missing, cannot be a name, or comes from anywhere else."""
        name = request.headers.get(self.header, "").strip()
        # A comma is what becomes of two headers: one of them may be the visitor's own.
        sane = 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and "," not in name
        return name if sane and self._has(peer_of(request)) else None

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
    """What a visitor may show to be let in. Where nothing of it is set, the server is open."""

    credentials: tuple[str, str] | None = None
    """User name and password, by HTTP basic."""
    proxy: ProxyUsers | None = None
    tokens: TokenBook | None = None
    """What programs show, by HTTP bearer. A wrong one stays outside of an open server too."""

    @property
    def is_closed(self) -> bool:
        return self.credentials is not None or self.proxy is not None

    def visitor(self, request: Request, now: datetime) -> Visitor | None:
        """Who sends `request`; None for whoever has to stay outside. Raises StoreUnavailable."""
        if self.proxy is not None:
            name = self.proxy.named(request)
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
        """What a 401 says of how to come in; a browser asks its user only for the first kind."""
        if self.credentials is None:
            return 'Bearer realm="Data Tracker"'
        return 'Basic realm="Data Tracker", charset="UTF-8"'

    @cached_property
    def _expected(self) -> bytes:
        return b64encode(":".join(self.credentials or ()).encode())


OPEN = Access()
"""Asks nobody for a name."""


def peer_of(request: Request) -> str:
    """The address at the other end of the connection, whatever headers say of it."""
    peer: str = request.environ.get(PEER, request.remote_addr) or ""
    return peer


def visitor_name() -> str | None:
    """Who sends the present request, as they were let in; None where nobody is asked for a name."""
    visitor: Visitor = flask.request.environ.get(VISITOR, ANYBODY)
    return None if visitor is ANYBODY else visitor.name
