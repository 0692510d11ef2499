"""The server's paths as the browser sees them: below the URL prefix, if there is one."""

from flask import has_request_context, request


def at(path: str) -> str:
    """The address of a path of this server, for the current request."""
    return (request.script_root if has_request_context() else "") + path
