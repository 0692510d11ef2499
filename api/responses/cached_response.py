"""Encoded responses, built once a revision and sent to all clients: cached, compressed, or as CSV."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import brotli
import orjson
from flask import Response, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags

from api.environ import CACHEABLE
from api.responses import tables
from api.responses.freshness import Present
from api.responses.large_responses import Check, checked
from services.concurrency.versioned_cache import VersionedCache

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MIN_COMPRESSED_BYTES = 1_000  # bytes; below, a packet carries it anyway
GZIP_LEVEL = 5
GZIP_FORMAT = zlib.MAX_WBITS + 16  # zlib's way to say gzip
BROTLI_LEVEL = 5
"""It takes as long as that gzip (9 ms for 1,000 metrics, 573 kB), and leaves 5 % less of the ranking (126 kB) and 22 %
less of a day's prices (7.4 kB). Level 4 takes half the time for a tenth more of the prices, level 9 twice for 2 % less.
"""

TAG_LENGTH = 24
CLIENTS_AT_HAND = 100
"""Different `Accept-Encoding` headers whose best encoding is cached."""


@dataclass(frozen=True)
class Page:
    """A body (bytes are JSON already) and its headers."""

    body: object
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CachedResponse:
    """One JSON body with its entity tag and headers, compressed when a client first accepts that."""

    body: bytes
    etag: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def gzip(self) -> bytes:
        return gzip.compress(self.body, compresslevel=GZIP_LEVEL, mtime=0)

    @cached_property
    def br(self) -> bytes:
        packed: bytes = brotli.compress(self.body, quality=BROTLI_LEVEL)
        return packed


class CachedResponses:
    """A cache of at most `size` responses; an entry is valid for one version."""

    def __init__(self, size: int = 512) -> None:
        self._cache = VersionedCache(size)

    def get(self, key: Hashable, version: Hashable, build: Callable[[], object]) -> CachedResponse:
        """The response cached under `key`, if it is of `version`; else what `build` returns (a CachedResponse, a Page
        or a body), encoded."""
        return self._cache.get(key, version, lambda: encode(build()))


def compressed(page: Page) -> CachedResponse:
    """The response, already compressed as the current request accepts it: for a large one that is half of the work."""
    response = encode(page)
    encoding = _encoding(request.environ) if len(response.body) >= MIN_COMPRESSED_BYTES else None
    if encoding is not None and not _has(request.environ, response.etag):
        _ = response.br if encoding == "br" else response.gzip
    return response


def encode(value: object) -> CachedResponse:
    """`value`, which is a CachedResponse, a Page or a body, as a response."""
    if isinstance(value, CachedResponse):
        return value
    page = value if isinstance(value, Page) else Page(value)
    body = page.body if isinstance(page.body, bytes) else orjson.dumps(page.body)
    return CachedResponse(body, digest(body, *page.headers.values()), page.headers)


def digest(body: bytes, *more: str) -> str:
    """An entity tag of the content, so that it is the same in every process."""
    name = hashlib.sha1(body, usedforsecurity=False)  # twice as fast as blake2b
    for text in more:
        name.update(b"\0" + text.encode())
    return name.hexdigest()[:TAG_LENGTH]


def reply(
    environ: "WSGIEnvironment", response: CachedResponse, max_age: int = 0
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body, valid for `max_age` seconds: 304 if the client has the response, and compressed if it
    accepts that."""
    headers = _validators(response.etag, max_age, response.headers)
    if _has(environ, response.etag):
        return "304 NOT MODIFIED", headers, b""
    encoding = _encoding(environ) if len(response.body) >= MIN_COMPRESSED_BYTES else None
    body = response.body
    if encoding is not None:
        headers.append(("Content-Encoding", encoding))
        body = response.br if encoding == "br" else response.gzip
    headers += ("Content-Type", "application/json"), ("Content-Length", str(len(body)))
    return "200 OK", headers, body


def send(response: CachedResponse, present: Present | None = None) -> Response:
    """Answer the current request. With `present`, the response may be cached for all requests of this state."""
    if present is not None:
        request.environ[CACHEABLE] = present, response
    status, headers, body = reply(request.environ, response, 0 if present is None else present.max_age)
    return Response(body, status, headers)


def send_uncached(body: object, status: int = HTTPStatus.OK) -> Response:
    """Answer the current request with JSON that a browser must ask for again each time."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-cache"}, mimetype="application/json")


def send_once(body: object, status: int = HTTPStatus.OK) -> Response:
    """Answer a request that has changed something, with JSON that nobody may cache."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, mimetype="application/json")


def send_csv(
    table: Iterable[tables.Block], etag: str, max_age: int, headers: Mapping[str, str], check: Check
) -> Response:
    """Answer the current request with `table` as CSV, with a check before each block; 304 if the client has it.

    It is complete before it is sent, so that a client that reads slowly occupies no place.
    """
    shared = _validators(etag, max_age, headers)
    if _has(request.environ, etag):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=shared)
    encoding = _encoding(request.environ)
    text = tables.csv_text(checked(table, check))
    if encoding is None:
        return Response("".join(text), mimetype="text/csv", headers=shared)
    return Response(
        b"".join(_compress(text, encoding)), mimetype="text/csv", headers=[*shared, ("Content-Encoding", encoding)]
    )


def _compress(text: Iterable[str], encoding: str) -> Iterator[bytes]:
    if encoding == "br":
        brotlied = brotli.Compressor(quality=BROTLI_LEVEL)
        zip_part, finish = brotlied.process, brotlied.finish
    else:
        gzipped = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
        zip_part, finish = gzipped.compress, gzipped.flush
    for part in text:
        yield zip_part(part.encode())
    yield finish()


def _has(environ: "WSGIEnvironment", etag: str) -> bool:
    """True if the client has the response with this entity tag."""
    header: str | None = environ.get("HTTP_IF_NONE_MATCH")
    return header is not None and parse_etags(header).contains_weak(etag)


def _validators(etag: str, max_age: int, more: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers for caching and revalidation, and `more`."""
    return [
        ("Cache-Control", f"private, max-age={max_age}" if max_age > 0 else "no-cache"),
        ("ETag", f'"{etag}"'),
        ("Vary", "Accept, Accept-Encoding"),
        *more.items(),
    ]


def _encoding(environ: "WSGIEnvironment") -> str | None:
    known: str | None = environ.get("HTTP_ACCEPT_ENCODING")
    return None if known is None else _best_encoding(known)


@lru_cache(CLIENTS_AT_HAND)
def _best_encoding(accepted: str) -> str | None:
    """The encoding that the client prefers; br among equals."""
    qualities = parse_accept_header(accepted, Accept)
    best, quality = None, 0.0
    for name in ("br", "gzip"):
        if qualities.quality(name) > quality:
            best, quality = name, qualities.quality(name)
    return best
