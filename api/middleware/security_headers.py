"""What browsers are told to refuse, with every answer."""

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
    """What names an inline script in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def content_policy(script_hashes: Iterable[str]) -> str:
    """Everything from here, and of inline scripts those with these hashes alone; nothing that makes code of text.

    Charts and table set styles on what they draw, so styles may be inline.
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
    """`application`, with them added to every answer, errors and files included.

    Before Flask, where an answer's headers are a list already: to look through them for each name there would take
    longer than all else that a kept answer needs.
    """
    plain = [*_ALWAYS.items(), ("Content-Security-Policy", content_policy(script_hashes))]
    by_tls = [*plain, ("Strict-Transport-Security", f"max-age={YEAR_SECONDS}")]  # and is to come by TLS again

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        more = by_tls if environ["wsgi.url_scheme"] == "https" else plain

        def start(status: str, headers: list[tuple[str, str]], failed: Any = None) -> Callable[[bytes], object]:
            return start_response(status, headers + more, failed)

        return application(environ, start)

    return answer
