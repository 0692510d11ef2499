"""Encoded answers, built once a revision and sent as they are to everyone who asks."""

import gzip
import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property

import orjson
from flask import Response, request

from services.market.memory import VersionedMemory

SMALLEST_WORTH_ZIPPING = 1_000  # bytes; below, a packet carries it anyway


@dataclass(frozen=True)
class Answer:
    """One JSON body with its entity tag, zipped when the first client asks for that."""

    body: bytes
    etag: str

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.body, compresslevel=5, mtime=0)


class Answers:
    """A memory of at most `most` answers; an entry holds for as long as its version is asked for."""

    def __init__(self, most: int = 512) -> None:
        self._memory = VersionedMemory(most)

    def get(self, key: Hashable, version: Hashable, build: Callable[[], object]) -> Answer:
        """The answer kept under `key`, if it was built for `version`; else what `build` gives, encoded."""
        return self._memory.get(key, version, lambda: _encode(build()))


def _encode(value: object) -> Answer:
    body = orjson.dumps(value)
    return Answer(body, _digest(body))


def _digest(body: bytes) -> str:
    """Names a body by its content, so that the tag is the same in every process."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def send(answer: Answer) -> Response:
    """Answer the current request: 304 where the client has it, gzip where it may."""
    response = Response(mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(answer.etag)
    if request.if_none_match.contains_weak(answer.etag):
        response.status_code = 304
        return response
    if len(answer.body) >= SMALLEST_WORTH_ZIPPING and request.accept_encodings.quality("gzip") > 0:
        response.headers["Content-Encoding"] = "gzip"
        response.set_data(answer.zipped)
    else:
        response.set_data(answer.body)
    return response
