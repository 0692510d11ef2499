"""Encoded answers, built once a revision and sent as they are to everyone who asks."""

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
"""Ways to say what is accepted that are remembered."""


@dataclass(frozen=True)
class Page:
    """A body, as JSON already where it is bytes, and the headers that go with it."""

    body: object
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CachedResponse:
    """One JSON body with its entity tag and headers, zipped when the first client asks for that."""

    body: bytes
    etag: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def gzip(self) -> bytes:
        return gzip.compress(self.body, compresslevel=GZIP_LEVEL, mtime=0)

    @cached_property
    def br(self) -> bytes:
        zipped: bytes = brotli.compress(self.body, quality=BROTLI_LEVEL)
        return zipped


class CachedResponses:
    """A memory of at most `most` answers; an entry holds for as long as its version is asked for."""

    def __init__(self, most: int = 512) -> None:
        self._memory = VersionedCache(most)

    def get(self, key: Hashable, version: Hashable, build: Callable[[], object]) -> CachedResponse:
        """The answer kept under `key`, if it was built for `version`; else what `build` gives (an Answer, a Page, or a
        body alone), encoded."""
        return self._memory.get(key, version, lambda: encode(build()))


def compressed(page: Page) -> CachedResponse:
    """The answer as the present request takes it, which for a large one is half of the work."""
    answer = encode(page)
    encoding = _encoding(request.environ) if len(answer.body) >= MIN_COMPRESSED_BYTES else None
    if encoding is not None and not _has(request.environ, answer.etag):
        _ = answer.br if encoding == "br" else answer.gzip
    return answer


def encode(value: object) -> CachedResponse:
    """The answer that tells `value`: an Answer, a Page, or a body alone."""
    if isinstance(value, CachedResponse):
        return value
    page = value if isinstance(value, Page) else Page(value)
    body = page.body if isinstance(page.body, bytes) else orjson.dumps(page.body)
    return CachedResponse(body, digest(body, *page.headers.values()), page.headers)


def digest(body: bytes, *more: str) -> str:
    """Names a body by its content, so that the tag is the same in every process."""
    name = hashlib.sha1(body, usedforsecurity=False)  # twice as fast as blake2b
    for text in more:
        name.update(b"\0" + text.encode())
    return name.hexdigest()[:TAG_LENGTH]


def reply(
    environ: "WSGIEnvironment", answer: CachedResponse, max_age: int = 0
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body that answer a request, for `max_age` seconds: 304 where the client has it, br or gzip
    where it may."""
    headers = _validators(answer.etag, max_age, answer.headers)
    if _has(environ, answer.etag):
        return "304 NOT MODIFIED", headers, b""
    encoding = _encoding(environ) if len(answer.body) >= MIN_COMPRESSED_BYTES else None
    body = answer.body
    if encoding is not None:
        headers.append(("Content-Encoding", encoding))
        body = answer.br if encoding == "br" else answer.gzip
    headers += ("Content-Type", "application/json"), ("Content-Length", str(len(body)))
    return "200 OK", headers, body


def send(answer: CachedResponse, present: Present | None = None) -> Response:
    """Answer the current request with what holds in the state `present`, to whoever asks the same in it; or, without
    that, now."""
    if present is not None:
        request.environ[CACHEABLE] = present, answer
    status, headers, body = reply(request.environ, answer, 0 if present is None else present.max_age)
    return Response(body, status, headers)


def send_uncached(body: object, status: int = HTTPStatus.OK) -> Response:
    """Answer the current request with JSON that a browser must ask for again each time."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-cache"}, mimetype="application/json")


def send_once(body: object, status: int = HTTPStatus.OK) -> Response:
    """Answer a request that has changed something: for nobody to keep."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, mimetype="application/json")


def send_csv(
    table: Iterable[tables.Block], etag: str, max_age: int, headers: Mapping[str, str], check: Check
) -> Response:
    """Answer the current request with `table` as CSV, with a check before each block; it is not made where the client
    has it. It is all there before it is sent, so that who reads slowly keeps nobody from a place."""
    told = _validators(etag, max_age, headers)
    if _has(request.environ, etag):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=told)
    encoding = _encoding(request.environ)
    text = tables.csv_text(checked(table, check))
    if encoding is None:
        return Response("".join(text), mimetype="text/csv", headers=told)
    return Response(
        b"".join(_zipped(text, encoding)), mimetype="text/csv", headers=[*told, ("Content-Encoding", encoding)]
    )


def _zipped(text: Iterable[str], encoding: str) -> Iterator[bytes]:
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
    """Whether the client has the answer of this entity tag."""
    known: str | None = environ.get("HTTP_IF_NONE_MATCH")
    return known is not None and parse_etags(known).contains_weak(etag)


def _validators(etag: str, max_age: int, more: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that say until when an answer holds and how it is told from others, and `more`."""
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
    """The best that the client takes; br where it makes no difference to it."""
    qualities = parse_accept_header(accepted, Accept)
    best, quality = None, 0.0
    for name in ("br", "gzip"):
        if qualities.quality(name) > quality:
            best, quality = name, qualities.quality(name)
    return best
