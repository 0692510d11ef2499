"""How an address names a metric."""

from services.market.errors import UnknownMetric

MAX_KEY_LENGTH = 100
MAX_ID_DIGITS = 18
MAX_METRIC_ID = 999_999_999_999_999
"""Of a row in an address: exact in JSON, and less than what a database counts to."""


def named(wanted: str) -> int | str:
    """The number or key in an address; whatever cannot be either is a 404, as a metric that does not exist."""
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) <= MAX_ID_DIGITS
    is_key = len(wanted) <= MAX_KEY_LENGTH and wanted.isprintable() and ":" in wanted and "-" in wanted
    if not is_number and not is_key:
        raise UnknownMetric("of that form: an id is a number, or a key as kraken:BTC-USD")
    return int(wanted) if is_number else wanted
