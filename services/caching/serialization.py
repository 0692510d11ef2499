"""Values as MessagePack, and back: what is read is checked against the expected type.

Any client that can write to the Redis can put anything under our keys. Unlike pickle, this runs no code that it reads:
the bytes become numbers, texts, times and arrays in exactly the fields of the type, or an error.
"""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast, get_args

import msgspec
import numpy as np

T = TypeVar("T")


class Unreadable(ValueError):
    """The bytes are no value of the expected type."""


def pack(value: object) -> bytes:
    """A value of `services.market.types`, or a number, as bytes."""
    return _encoder().encode(value)


def unpack(data: bytes, kind: type[T]) -> T:
    """The value of type `kind` that was packed, its arrays read-only. Raises Unreadable."""
    try:
        value: T = _decoder(cast(Hashable, kind)).decode(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no {kind}: {error}") from error
    return value


@cache
def _encoder() -> msgspec.msgpack.Encoder:
    return msgspec.msgpack.Encoder(enc_hook=_array_out)


@cache
def _decoder(kind: Any) -> "msgspec.msgpack.Decoder[Any]":
    return msgspec.msgpack.Decoder(kind, dec_hook=_array_in)


def _array_out(array: object) -> tuple[tuple[int, ...], bytes]:
    if not isinstance(array, np.ndarray):
        raise NotImplementedError(f"{type(array)} cannot be shared")
    return array.shape, array.tobytes()


def _array_in(kind: Any, parts: Any) -> "np.ndarray[Any, Any]":
    """An array of the dtype that its field is declared with: `kind` is numpy's alias ndarray[shape, dtype[number]]."""
    shape, content = msgspec.convert(parts, tuple[list[int], bytes])
    _, dtype = get_args(kind)
    (number,) = get_args(dtype)
    return np.frombuffer(content, number).reshape(shape)
