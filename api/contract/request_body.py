"""JSON bodies of requests, and the fields that several of them have."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from api.contract.errors import InvalidInput
from api.contract.operations import JSON
from services.market.text import MAX_NOTE_LENGTH, is_plain
from services.market.times import parse_moment

MAX_JSON_BYTES = 65_536
MAX_SHOWN_LENGTH = 40
"""Characters of a refused name that the error repeats."""
WRITING = frozenset({"POST", "PATCH", "DELETE"})

Fields = Mapping[str, Any]


def read_fields(*known: str) -> Fields:
    """The JSON object of the current request; {} for an empty body.

    Raises InvalidInput for anything but an object, and for a field other than `known`, if any are named.
    """
    request.max_content_length = MAX_JSON_BYTES
    data = request.get_data()
    try:
        fields = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"body: is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InvalidInput("body: must be a JSON object")
    for name in fields:
        if known and name not in known:
            raise InvalidInput(f"{name[:MAX_SHOWN_LENGTH]}: unknown field; known fields are {', '.join(known)}")
    return fields


def note_of(fields: Fields) -> str | None:
    """The field `note`; None if it is missing. Raises InvalidInput."""
    note = fields.get("note")
    if note is None:
        return None
    if not isinstance(note, str) or len(note) > MAX_NOTE_LENGTH:
        raise InvalidInput(f"note: must be a text of at most {MAX_NOTE_LENGTH} characters")
    if not is_plain(note):
        raise InvalidInput("note: must contain no control characters except line breaks and tabs")
    return note


def moment_of(fields: Fields, name: str) -> datetime | None:
    """The time in the field `name`; None if it is missing. Raises InvalidInput."""
    text = fields.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidInput(f"{name}: must be an ISO-8601 time or null")
    try:
        return parse_moment(text)
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}") from None


def require_json() -> None:
    """Refuse a body of another media type, before the route runs. Raises UnsupportedMediaType."""
    has_body = bool(request.content_length) or request.content_type is not None
    if request.method in WRITING and has_body and request.mimetype != JSON:
        raise UnsupportedMediaType(f"the body must be {JSON}")
