"""`Link` headers (RFC 8288), which lead from page to page."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import request


def link_header(relations: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The header that names, by relation, the current address with these query values changed."""
    links = [f'<{_changed(values)}>; rel="{relation}"' for relation, values in relations.items()]
    return {"Link": ", ".join(links)} if links else {}


def _changed(values: Mapping[str, object]) -> str:
    # Relative to the server, so that it is right behind any proxy; quoted, so that nothing ends the header early.
    query = urlencode(request.args.to_dict() | {name: str(value) for name, value in values.items()}, safe=":,")
    return f"{quote(request.root_path + request.path, safe='/:')}?{query}"
