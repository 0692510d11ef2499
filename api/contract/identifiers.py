"""How paths and queries name metrics and records."""

from services.market.errors import UnknownMetric

MAX_KEY_LENGTH = 100
MAX_ID_DIGITS = 18
MAX_RECORD_ID = 999_999_999_999_999
"""The largest number of a record in a path: exact in JSON, and within the range of a database's integers."""
RECORD_NUMBER = f"<int(max={MAX_RECORD_ID}):number>"
"""A record's number in a route's path."""


def parse_metric(text: str) -> int | str:
    """The number or the key of a metric. Raises UnknownMetric for a text that can be neither."""
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS
    is_key = len(text) <= MAX_KEY_LENGTH and text.isprintable() and ":" in text and "-" in text
    if not is_number and not is_key:
        raise UnknownMetric("of that form: an id is a number, or a key as kraken:BTC-USD")
    return int(text) if is_number else text
