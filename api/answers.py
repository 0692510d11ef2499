"""Encoded answers, built once a revision and sent as they are to everyone who asks."""

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import orjson
from flask import Response, request

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
    """A bounded memory of answers; an entry holds for as long as its version is asked for.

    Answers are immutable, so threads may share them. Two threads that miss together may both
    build; the later one wins, and both are right.
    """

    def __init__(self, most: int = 512) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Hashable, Answer]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, version: Hashable, build: Callable[[], object]) -> Answer:
        """The answer kept under `key`, if it was built for `version`; else what `build` gives, encoded."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None and found[0] == version:
                self._kept.move_to_end(key)
                return found[1]
        body = orjson.dumps(build())
        answer = Answer(body, _digest(body))
        with self._lock:
            self._kept[key] = (version, answer)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return answer


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
