"""The client's address and scheme, from the headers of trusted proxies."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from api.environ import PEER, UNREADABLE_ADDRESS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_WITH_PORT = re.compile(r"(?P<v4>[0-9.]+)(:[0-9]{1,5})?|\[(?P<v6>[0-9a-f:.]+)\](:[0-9]{1,5})?", re.I | re.A)


def forwarded(application: "WSGIApplication", hops: int) -> "WSGIApplication":
    """`application`, with the address and the scheme that the outermost of `hops` trusted proxies has seen.

    Each proxy appends to a header. Werkzeug's ProxyFix is not used: it reads the headers as lists of quoted strings, so
    that a single quote sent by a visitor swallows what the proxy appends, and it takes any text for an address.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ[PEER] = environ.get("REMOTE_ADDR", "")
        seen = _seen_by(hops, environ.get("HTTP_X_FORWARDED_FOR"))
        if seen is not None:
            address = address_in(seen)
            if address is None:
                environ[UNREADABLE_ADDRESS] = True
            else:
                environ["REMOTE_ADDR"] = address
        scheme = (_seen_by(hops, environ.get("HTTP_X_FORWARDED_PROTO")) or "").lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        return application(environ, start_response)

    return answer


def address_in(text: str) -> str | None:
    """The IP address in `text`, without the port that some proxies add; None if there is none."""
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(text if found is None else found["v4"] or found["v6"])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def _seen_by(hops: int, header: str | None) -> str | None:
    """The value that the outermost of `hops` proxies appended to a header; None if there are fewer values."""
    if header is None:
        return None
    values = header.split(",")
    return values[-hops].strip() if len(values) >= hops else None
