"""`python app.py export FILE.csv|FILE.parquet`: stored prices or volumes as a file."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from services.commands.output_file import CannotWrite, Progress, atomic_file, format_size, progress_bar, run_command
from services.market.times import parse_moment, to_epoch
from services.market.track import TrackPattern, parse_track
from services.market.types import Metric, Series
from services.settings import read_settings
from services.store.database import schema
from services.store.database.engine import COMMAND_TIMEOUTS, Engine, open_existing, reading
from services.store.history import samples
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME
from services.store.ranking import metrics

BATCH_ROWS = 200_000
"""Rows written at a time; at most twice as many."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)

TEXTS = ("market", "base", "quote")
_HEAD = [("time", pa.timestamp("ms", tz="UTC")), *((name, pa.string()) for name in TEXTS)]
PRICES = pa.schema([*_HEAD, ("price", pa.float64()), ("width_seconds", pa.int64())])
VOLUMES = pa.schema([*_HEAD, ("volume", pa.float64())])

Write = Callable[[pd.DataFrame], object]
Piece = tuple[Metric, Series]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The contents of an exported file: its rows, their metrics, and the patterns that no stored metric matches."""

    rows: int
    metrics: int
    unmatched: tuple[TrackPattern, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The samples to export: prices (quote currency), or 24 h volumes (base units), with `since` < time <= `until`, of
    the metrics that match any of `patterns`; no pattern means all metrics that there are or were."""

    since: datetime = EARLIEST
    until: datetime = LATEST
    patterns: Sequence[TrackPattern] = ()
    volumes: bool = False


EVERYTHING = Selection()


def export(
    engine: Engine,
    path: Path,
    progress: Progress,
    selection: Selection = EVERYTHING,
    *,
    force: bool = False,
    batch_rows: int = BATCH_ROWS,
) -> ExportResult:
    """Write the `selection` to `path`, in the format of its ending, metric by metric, oldest first, from one
    transaction.

    `progress` counts metrics and shows the rows and bytes written. Raises CannotWrite, StoreUnavailable or
    OutdatedDatabase.
    """
    opened = _FORMATS.get(path.suffix.lower())
    if opened is None:
        raise CannotWrite(f"{path}: the name must end in {' or '.join(_FORMATS)}")
    quantity, columns = (VOLUME, VOLUMES) if selection.volumes else (PRICE, PRICES)
    first, last = to_epoch(selection.since), to_epoch(selection.until)
    patterns = selection.patterns
    rows: Counter[Metric] = Counter()
    with atomic_file(path, force=force) as unfinished, reading(engine, COMMAND_TIMEOUTS) as connection:
        schema.require_current(connection)
        known = metrics.stored(connection)
        chosen = [metric for metric in known if not patterns or any(pattern.names(metric) for pattern in patterns)]

        def show(done: int, read_rows: int) -> None:
            written = format_size(unfinished.stat().st_size)
            progress(done, len(chosen), f"{read_rows:,} rows, {written} written")

        pieces = _pieces(
            chosen, lambda metric: samples.series(connection, quantity, metric.id, first, last), show, batch_rows
        )
        with opened(unfinished, columns) as write:
            for batch in _batches(pieces, batch_rows):
                for metric, series in batch:
                    rows[metric] += len(series.times)
                write(_frame(batch, columns.names))
    unmatched = tuple(pattern for pattern in patterns if not any(pattern.names(metric) for metric in known))
    return ExportResult(rows.total(), len(rows), unmatched)


def _pieces(
    chosen: Sequence[Metric], read: Callable[[Metric], Series], show: Callable[[int, int], None], batch_rows: int
) -> Iterator[Piece]:
    """The samples of each metric in pieces of at most `batch_rows` rows, none of a metric without samples.

    `show` is called with the numbers of metrics and rows read.
    """
    rows = 0
    for number, metric in enumerate(chosen, 1):
        series = read(metric)
        rows += len(series.times)
        for start in range(0, len(series.times), batch_rows):
            part = slice(start, start + batch_rows)
            yield metric, Series(series.times[part], series.values[part], series.widths[part])
        show(number, rows)


def _batches(pieces: Iterable[Piece], batch_rows: int) -> Iterator[list[Piece]]:
    """The pieces in lists of `batch_rows` rows or up to twice as many; the last may be shorter."""
    batch: list[Piece] = []
    rows = 0
    for metric, series in pieces:
        batch.append((metric, series))
        rows += len(series.times)
        if rows >= batch_rows:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _frame(pieces: Sequence[Piece], names: Sequence[str]) -> pd.DataFrame:
    """One row a sample, with the columns `names`."""
    lengths = [len(series.times) for _, series in pieces]
    texts = {name: pd.Categorical([getattr(metric, name) for metric, _ in pieces]).repeat(lengths) for name in TEXTS}
    values = np.concatenate([series.values for _, series in pieces])
    columns = texts | {
        "time": pd.to_datetime(np.concatenate([series.times for _, series in pieces]), unit="s", utc=True),
        "price": values,
        "width_seconds": np.concatenate([series.widths for _, series in pieces]),
        "volume": values,
    }
    return pd.DataFrame({name: columns[name] for name in names})


@contextmanager
def _csv(path: Path, columns: pa.Schema) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns.names) + "\n")

        def write(frame: pd.DataFrame) -> None:
            for name in TEXTS:
                frame[name] = frame[name].cat.rename_categories(_no_formula)
            frame.to_csv(file, header=False, index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%SZ")

        yield write


def _no_formula(text: str) -> str:
    """The text, escaped so that a spreadsheet does not read it as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@contextmanager
def _parquet(path: Path, columns: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, columns, compression="zstd") as writer:
        yield lambda frame: writer.write_table(pa.Table.from_pandas(frame, columns, preserve_index=False))


_FORMATS: dict[str, Callable[[Path, Any], AbstractContextManager[Write]]] = {".csv": _csv, ".parquet": _parquet}


def main(arguments: Sequence[str]) -> int:
    """Export from the database of the settings. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.since >= given.until:
        parser.error("argument --since: must lie before --until")
    return run_command(lambda: _export(given))


def _export(given: argparse.Namespace) -> str:
    engine = open_existing(read_settings().database)
    try:
        with progress_bar(" metrics") as progress:
            found = export(
                engine,
                given.file,
                progress,
                Selection(given.since, given.until, tuple(chain.from_iterable(given.metric)), given.volumes),
                force=given.force,
            )
    finally:
        engine.dispose()
    report = f"{given.file}: {found.rows:,} {'volumes' if given.volumes else 'prices'} (metrics: {found.metrics:,})"
    return report + "".join(f"; no stored metric matches {pattern}" for pattern in found.unmatched)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py export",
        description="Write stored prices to a CSV or Parquet file. The program may keep running."
        " A time is ISO-8601 (UTC where it names no zone) or epoch seconds.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write: .csv or .parquet")
    parser.add_argument("--since", type=_moment, default=EARLIEST, metavar="T", help="only samples after this time")
    parser.add_argument("--until", type=_moment, default=LATEST, metavar="T", help="only samples up to this time")
    parser.add_argument(
        "--metric",
        type=_patterns,
        action="extend",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="only metrics that match, as in TRACK: kraken:*/USD",
    )
    parser.add_argument("--volumes", action="store_true", help="24 h volumes instead of prices")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    return parser


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _patterns(text: str) -> tuple[TrackPattern, ...]:
    try:
        return parse_track(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
