"""Flat tables for spreadsheets and data frames: the same columns in every row, times named `..._at`."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from api.responses import bodies
from services.market.alerting.alerts import Alert
from services.market.ranking import RankedMetric
from services.market.types import Hours, Series

Block = Mapping[str, Sequence[object]]
"""Columns of one length by name. A table is one block or more, all with the same names."""

ALERT_FIELDS = (
    "id",
    "metric_id",
    "market",
    "base",
    "quote",
    "price",
    "average",
    "factor",
    "samples",
    "fired_at",
    "state",
    "rule_id",
    "rule",
    "condition",
    "quantity",
    "value",
    "reference",
    "threshold",
    "muted",
    "resolved_at",
    "acknowledged_at",
    "note",
    "acknowledged_by",
    "no_data_since",
    "reason",
)
BLOCK_ROWS = 250
"""Rows of a block, after which work on a large table may pause."""
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""The starts of a text that a spreadsheet takes for a formula."""


def ranking_table(metrics: Sequence[RankedMetric], fields: Sequence[str]) -> Iterator[Block]:
    for start in _starts(len(metrics)):
        rows = [bodies.metric_body(row) for row in metrics[start : start + BLOCK_ROWS]]
        yield {name: [row[name] for row in rows] for name in fields}


def alerts_table(alerts: Sequence[Alert]) -> Iterator[Block]:
    for start in _starts(len(alerts)):
        rows = [bodies.alert_body(alert) for alert in alerts[start : start + BLOCK_ROWS]]
        yield {name: [row[name] for row in rows] for name in ALERT_FIELDS}


def series_table(found: Series, inner: str) -> Iterator[Block]:
    """Columns `inner`, `created_at`, and `width`: the seconds that each value stands for."""
    for start in _starts(len(found.times)):
        part = slice(start, start + BLOCK_ROWS)
        yield {
            inner: bodies.known(found.values[part]),
            "created_at": bodies.iso_each(found.times[part]),
            "width": found.widths[part].tolist(),
        }


def candles_table(found: Hours) -> Iterator[Block]:
    columns = bodies.candle_columns(found)
    created = columns.pop("createdAt")
    yield columns | {"created_at": created}


def records(table: Iterable[Block]) -> list[dict[str, object]]:
    """The table as one object a row."""
    return [dict(zip(block, row, strict=True)) for block in table for row in zip(*block.values(), strict=True)]


def csv_text(table: Iterable[Block]) -> Iterator[str]:
    """The table as CSV with a header line, block by block. A `'` goes before a text that a spreadsheet would take for a
    formula; unknown values are empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    for number, block in enumerate(table):
        if number == 0:
            writer.writerow(block)
        writer.writerows(map(_cell, row) for row in zip(*block.values(), strict=True))
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(DANGEROUS):
        return f"'{value}"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _starts(rows: int) -> range:
    """The first row of each block. Without rows there is one block, for the header line."""
    return range(0, max(rows, 1), BLOCK_ROWS)
