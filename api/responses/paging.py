"""`Link` headers (RFC 8288), which lead from page to page."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import request

from api.contract.queries import AlertsQuery, DeliveriesQuery, Query, RankingQuery

PAGE_HEADERS = {"Link": "The addresses of the other pages.", "X-Total-Count": "The number of all that match."}
"""The headers of `paging`, for the OpenAPI document."""


def paging(query: RankingQuery | AlertsQuery | DeliveriesQuery, total: int) -> Mapping[str, str]:
    """The total number of records that match, and links to the first, previous, next and last page."""
    relations: dict[str, Mapping[str, object]] = {}
    if query.limit is not None:
        relations["first"] = {"offset": 0}
        if query.offset > 0:
            relations["prev"] = {"offset": max(0, query.offset - query.limit)}
        if query.offset + query.limit < total:
            relations["next"] = {"offset": query.offset + query.limit}
        relations["last"] = {"offset": max(0, total - 1) // query.limit * query.limit}
    return {"X-Total-Count": str(total)} | link_header(query, relations)


def link_header(query: Query, relations: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The header that names, by relation, the current address with these values of its `query` changed."""
    links = [f'<{_changed(query, values)}>; rel="{relation}"' for relation, values in relations.items()]
    return {"Link": ", ".join(links)} if links else {}


def _changed(query: Query, values: Mapping[str, object]) -> str:
    # The response is cached for all clients, so names that the query does not know are left out.
    asked = {name: value for name, value in request.args.to_dict().items() if name in query.given}
    text = urlencode(asked | {name: str(value) for name, value in values.items()}, safe=":,")
    # Relative to the server, so that it is right behind any proxy; quoted, so that nothing ends the header early.
    return f"{quote(request.script_root + request.path, safe='/:')}?{text}"
