"""The numbers and keys by which paths and queries name metrics and records."""

from services.market.errors import UnknownMetric
from services.market.text import number_or_key

MAX_KEY_LENGTH = 100
MAX_RECORD_ID = 999_999_999_999_999
"""The largest number of a record in a path: exact in JSON, and within the range of a database's integers."""
RECORD_NUMBER = f"<int(max={MAX_RECORD_ID}):number>"
"""A record's number in a route's path."""


def parse_metric(text: str) -> int | str:
    """The number or the key of a metric. Raises UnknownMetric if `text` can be neither."""
    wanted = number_or_key(text)
    is_key = len(text) <= MAX_KEY_LENGTH and text.isprintable() and ":" in text and "-" in text
    if isinstance(wanted, str) and not is_key:
        raise UnknownMetric("of that form: an id is a number, or a key as kraken:BTC-USD")
    return wanted
