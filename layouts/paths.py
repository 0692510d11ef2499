"""Where the server's own paths are for a browser: below the prefix that it is reached by, if there is one."""

from flask import has_request_context, request


def at(path: str) -> str:
    """The address of one of our own paths, for the request that is being answered."""
    return (request.script_root if has_request_context() else "") + path
