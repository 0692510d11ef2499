"""What browsers are told to refuse, with every answer."""

import base64
import hashlib
from collections.abc import Iterable

from flask import Flask, Response, request

YEAR_SECONDS = 365 * 86_400

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


def send_headers(server: Flask, script_hashes: Iterable[str]) -> None:
    """Add them to every answer of `server`, errors and files included; one that brings its own keeps that."""
    headers = _ALWAYS | {"Content-Security-Policy": content_policy(script_hashes)}

    @server.after_request
    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        if request.is_secure:  # one who came by TLS is to come by TLS again
            response.headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_SECONDS}")
        return response
