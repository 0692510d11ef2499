"""Rows as PostgreSQL's COPY takes and gives them in its binary format: exact, and the same bytes for the same rows.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, String, Table

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = struct.pack(">h", -1)

_NULL = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_NUMBERS = (  # BigInteger is an Integer too, so it comes first
    (Boolean, struct.Struct(">i?")),
    (BigInteger, struct.Struct(">iq")),
    (Integer, struct.Struct(">ii")),
    (Float, struct.Struct(">id")),
)

Encode = Callable[[Iterable[Sequence[Any]]], bytes]


def encoder(table: Table) -> Encode:
    """What turns rows of `table`, all columns in their order, into their part of a stream between HEAD and TAIL."""
    head = struct.pack(">h", len(table.columns))
    fields = [_field(column) for column in table.columns]

    def encode(rows: Iterable[Sequence[Any]]) -> bytes:
        parts = []
        for row in rows:
            parts.append(head)
            parts += [_NULL if value is None else field(value) for field, value in zip(fields, row, strict=True)]
        return b"".join(parts)

    return encode


def _field(column: Column[Any]) -> Callable[[Any], bytes]:
    for kind, form in _NUMBERS:
        if isinstance(column.type, kind):
            return _number(form)
    if isinstance(column.type, String):
        return lambda value: _LENGTH.pack(len(data := value.encode())) + data
    if isinstance(column.type, LargeBinary):
        return lambda value: _LENGTH.pack(len(value)) + value
    raise TypeError(f"{column}: no binary form of {column.type!r} is known")


def _number(form: struct.Struct) -> Callable[[Any], bytes]:
    size = form.size - _LENGTH.size
    return lambda value: form.pack(size, value)
