"""Security headers, which every response has."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from services.market.times import DAY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

YEAR_SECONDS = 365 * DAY

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def script_hash(text: str) -> str:
    """The source expression of an inline script for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def content_policy(script_hashes: Iterable[str]) -> str:
    """Allows what this server sends, inline scripts with these hashes only, and no evaluation of text as code.

    Inline styles are allowed, because charts and the table set styles on what they draw.
    """
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *script_hashes)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def with_headers(application: "WSGIApplication", script_hashes: Iterable[str]) -> "WSGIApplication":
    """`application`, with the headers added to every response, errors and files included.

    They are appended outside Flask, where headers are a plain list. Setting each by name inside Flask would take longer
    than everything else that a cached response needs.
    """
    plain = [*_ALWAYS.items(), ("Content-Security-Policy", content_policy(script_hashes))]
    by_tls = [*plain, ("Strict-Transport-Security", f"max-age={YEAR_SECONDS}")]  # the next requests must use TLS too

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        more = by_tls if environ["wsgi.url_scheme"] == "https" else plain

        def start(status: str, headers: list[tuple[str, str]], failed: Any = None) -> Callable[[bytes], object]:
            return start_response(status, headers + more, failed)

        return application(environ, start)

    return answer
