import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from services.commands.export import ExportResult, Selection, export, main
from services.commands.output_file import CannotWrite
from services.market.errors import StoreUnavailable
from services.market.track import parse_track
from services.market.types import Listing, Pair
from services.store.database.engine import Engine, open_engine, writing
from services.store.database.schema import OutdatedDatabase
from services.store.database.sqlite_file import create_file
from services.store.history import prices, volumes
from services.store.ranking import metrics
from tests.builders import NOON
from tests.commands.test_output_file import check_one_line_error, full_disk, names, nothing

ROOT = Path(__file__).parents[2]
T = int(NOON.timestamp())
AWKWARD = [0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 1e22, 123456789.12345679, 2.0]
TIMES = np.array([T - 60 * back for back in range(len(AWKWARD) - 1, -1, -1)], dtype=np.int64)
WIDTHS = np.array([300] + [60] * (len(AWKWARD) - 1), dtype=np.int64)
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def track(engine: Engine, market: str, *pairs: str) -> None:
    listings = [Listing(Pair(*pair.split("/"))) for pair in pairs]
    with writing(engine) as connection:
        metrics.track(connection, market, listings, lambda _pair: False, NOON)


def store(engine: Engine, metric_id: int, values: Sequence[float]) -> None:
    count = len(values)
    with writing(engine) as connection:
        prices.store_history(connection, metric_id, TIMES[-count:], np.array(values), WIDTHS[-count:])


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Awkward prices of kraken's BTC/USD (1), two of ETH/EUR (2), none of XRP/USD (3), one of gemini's BTC/USD (4)."""
    track(engine, "kraken", "BTC/USD", "ETH/EUR", "XRP/USD")
    track(engine, "gemini", "BTC/USD")
    store(engine, 1, AWKWARD)
    store(engine, 2, [10.0, 11.0])
    store(engine, 4, [60_000.5])
    return engine


def read(path: Path) -> pd.DataFrame:
    """The file as pandas reads it, with times as text in UTC."""
    if path.suffix == ".csv":
        return pd.read_csv(path)
    frame = pd.read_parquet(path)
    return frame.assign(time=frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def keys(frame: pd.DataFrame) -> list[str]:
    """The metrics in the file, in order."""
    return list(dict.fromkeys(frame["market"] + ":" + frame["base"] + "/" + frame["quote"]))


@SUFFIXES
def test_prices_come_back_bit_for_bit_metric_by_metric(engine: Engine, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prices{suffix}"

    assert export(engine, path, nothing) == ExportResult(rows=11, metrics=3, unmatched=())

    frame = read(path)
    assert list(frame) == ["time", "market", "base", "quote", "price", "width_seconds"]
    assert keys(frame) == ["kraken:BTC/USD", "kraken:ETH/EUR", "gemini:BTC/USD"]
    assert frame["price"].tolist() == [*AWKWARD, 10.0, 11.0, 60_000.5]
    assert frame["width_seconds"].tolist() == [*WIDTHS.tolist(), 60, 60, 60]
    assert frame["time"].tolist()[:2] == ["2026-03-01T11:53:00Z", "2026-03-01T11:54:00Z"]
    assert frame["time"].tolist()[7:] == [
        "2026-03-01T12:00:00Z", "2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z",
    ]  # fmt: skip
    assert set(names(tmp_path)) - {"tracker.db", "tracker.db-shm", "tracker.db-wal"} == {path.name}


@SUFFIXES
def test_volumes_have_a_file_of_their_own(engine: Engine, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"volumes{suffix}"
    with writing(engine) as connection:
        volumes.store(connection, T, np.array([1, 2]), np.array([1 / 3, np.nan]))

    assert export(engine, path, nothing, Selection(volumes=True)) == ExportResult(rows=1, metrics=1, unmatched=())

    frame = read(path)
    assert list(frame) == ["time", "market", "base", "quote", "volume"]
    assert frame.values.tolist() == [["2026-03-01T12:00:00Z", "kraken", "BTC", "USD", 1 / 3]]


def test_parquet_says_what_its_columns_are(engine: Engine, tmp_path: Path) -> None:
    export(engine, tmp_path / "prices.parquet", nothing)

    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "prices.parquet")}
    assert types == {
        "time": "timestamp[ms, tz=UTC]",
        "market": "string",
        "base": "string",
        "quote": "string",
        "price": "double",
        "width_seconds": "int64",
    }
    frame = pd.read_parquet(tmp_path / "prices.parquet")
    assert frame["time"].iloc[0] == NOON - timedelta(minutes=7)
    assert str(frame["time"].dt.tz) == "UTC"


def test_csv_is_plain_text_of_a_row_a_line(engine: Engine, tmp_path: Path) -> None:
    export(engine, tmp_path / "prices.csv", nothing, Selection(patterns=parse_track("gemini:*")))

    assert (tmp_path / "prices.csv").read_bytes() == (
        b"time,market,base,quote,price,width_seconds\n2026-03-01T12:00:00Z,gemini,BTC,USD,60000.5,60\n"
    )
    times = pd.read_csv(tmp_path / "prices.csv", parse_dates=["time"])["time"]
    assert times.iloc[0] == NOON


def test_no_name_is_taken_for_a_formula(engine: Engine, tmp_path: Path) -> None:
    names_in = ["=1+1/USD", "+A/@B", "-C/USD", "A=B/U-D"]
    track(engine, "kraken", *names_in)
    for number in range(5, 9):
        store(engine, number, [1.0])

    export(engine, tmp_path / "prices.csv", nothing, Selection(since=NOON - timedelta(minutes=1)))
    export(engine, tmp_path / "prices.parquet", nothing, Selection(since=NOON - timedelta(minutes=1)))

    as_text, as_data = read(tmp_path / "prices.csv"), read(tmp_path / "prices.parquet")
    assert keys(as_text)[-4:] == ["kraken:'=1+1/USD", "kraken:'+A/'@B", "kraken:'-C/USD", "kraken:A=B/U-D"]
    assert keys(as_data)[-4:] == [f"kraken:{name}" for name in names_in]


@SUFFIXES
def test_a_span_is_open_at_its_start_and_closed_at_its_end(engine: Engine, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prices{suffix}"
    since, until = NOON - timedelta(minutes=3), NOON - timedelta(minutes=1)

    assert export(engine, path, nothing, Selection(since, until)) == ExportResult(rows=3, metrics=2, unmatched=())

    assert read(path)["time"].tolist() == ["2026-03-01T11:58:00Z", "2026-03-01T11:59:00Z", "2026-03-01T11:59:00Z"]


@pytest.mark.parametrize(
    ("track", "chosen", "idle"),
    [
        ("kraken:*/USD", ["kraken:BTC/USD"], []),
        ("kraken:*", ["kraken:BTC/USD", "kraken:ETH/EUR"], []),
        ("GEMINI:btc/usd,kraken:e??/*", ["kraken:ETH/EUR", "gemini:BTC/USD"], []),
        ("kraken:DOGE/USD,gemini:*", ["gemini:BTC/USD"], ["kraken:DOGE/USD"]),
        ("kraken:BTC/USD,kraken:BTC/*", ["kraken:BTC/USD"], []),
    ],
)
def test_patterns_choose_metrics_as_track_does(
    engine: Engine, tmp_path: Path, track: str, chosen: list[str], idle: list[str]
) -> None:
    found = export(engine, tmp_path / "prices.csv", nothing, Selection(patterns=parse_track(track)))

    assert keys(read(tmp_path / "prices.csv")) == chosen
    assert [str(pattern) for pattern in found.unmatched] == idle


def test_metrics_that_are_no_longer_tracked_are_exported_too(engine: Engine, tmp_path: Path) -> None:
    with writing(engine) as connection:
        metrics.untrack_other_markets(connection, ["gemini"])

    assert export(engine, tmp_path / "prices.csv", nothing).metrics == 3


@SUFFIXES
def test_an_export_without_samples_has_its_columns(engine: Engine, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prices{suffix}"

    assert export(engine, path, nothing, Selection(since=NOON)) == ExportResult(rows=0, metrics=0, unmatched=())

    frame = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path)
    assert list(frame) == ["time", "market", "base", "quote", "price", "width_seconds"]
    assert len(frame) == 0


@SUFFIXES
def test_batches_of_any_size_make_the_same_rows(engine: Engine, tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    exported = export(engine, whole, nothing)

    for size in (1, 3, 8, 9, 10):
        parts = tmp_path / f"parts{size}{suffix}"
        assert export(engine, parts, nothing, batch_rows=size) == exported
        pd.testing.assert_frame_equal(read(parts), read(whole))
        if suffix == ".parquet":
            groups = pq.read_metadata(parts)
            counts = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
            assert all(size <= count < 2 * size for count in counts[:-1])
            assert counts[-1] < 2 * size


def test_progress_counts_the_metrics(engine: Engine, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []

    export(engine, tmp_path / "prices.csv", lambda *step: steps.append(step))

    assert [step[:2] for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert steps[-1][2].startswith("11 rows, ")


def test_all_is_read_as_of_one_moment(engine: Engine, tmp_path: Path) -> None:
    def tick(done: int, _total: int, _text: str) -> None:
        with writing(engine) as connection:
            prices.store(connection, T + 60 * done, np.array([1, 2, 3, 4]), np.ones(4), 60)

    assert export(engine, tmp_path / "prices.csv", tick).rows == 11
    assert export(engine, tmp_path / "again.csv", nothing).rows == 11 + 4 * 4


@SUFFIXES
def test_an_interrupted_export_leaves_the_old_file(engine: Engine, tmp_path: Path, suffix: str) -> None:
    def interrupt(_done: int, _total: int, _text: str) -> None:
        raise KeyboardInterrupt

    (tmp_path / "folder").mkdir()
    path = tmp_path / f"folder/prices{suffix}"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        export(engine, path, interrupt, batch_rows=1, force=True)

    assert names(tmp_path / "folder") == [path.name]
    assert path.read_text() == "before"


@SUFFIXES
def test_a_full_disk_leaves_nothing(engine: Engine, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotWrite, match=rf"prices{suffix}: File too large$"), full_disk(100):
        export(engine, tmp_path / f"folder/prices{suffix}", nothing, batch_rows=1)

    assert names(tmp_path / "folder") == []


@pytest.mark.parametrize("name", ["prices.xlsx", "prices", "prices.csv.gz", ".csv"])
def test_only_two_formats_are_known(tmp_path: Path, name: str) -> None:
    engine = open_engine("postgres://never.asked/none")

    with pytest.raises(CannotWrite, match=f"{name}: the name must end in .csv or .parquet"):
        export(engine, tmp_path / name, nothing)


def test_the_ending_may_be_in_capitals(engine: Engine, tmp_path: Path) -> None:
    export(engine, tmp_path / "PRICES.CSV", nothing)

    assert (tmp_path / "PRICES.CSV").read_text().startswith("time,market,")


def test_a_database_of_another_schema_is_refused(store_url: str, tmp_path: Path) -> None:
    engine = open_engine(store_url)
    create_file(engine)

    with pytest.raises(OutdatedDatabase, match=r"DATABASE_URL: .*`python app.py migrate`"):
        export(engine, tmp_path / "prices.csv", nothing)
    engine.dispose()

    assert not (tmp_path / "prices.csv").exists()


def test_a_database_that_is_unavailable_is_reported(tmp_path: Path) -> None:
    engine = open_engine("postgres://nobody@127.0.0.1:1/none?connect_timeout=2")

    with pytest.raises(StoreUnavailable):
        export(engine, tmp_path / "prices.csv", nothing)
    assert names(tmp_path) == []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> Path:
    """A working folder without `.env`; the environment names the database."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    return folder


@pytest.mark.usefixtures("engine")
def test_the_command_exports_the_selection_and_prints_its_size(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--since", "2026-03-01T11:58", "--until", str(T), "--metric", "kraken:BTC/*", "gemini:*,kraken:X/Y"]
    assert main(["prices.csv", *arguments]) == 0

    assert capsys.readouterr() == ("prices.csv: 3 prices (metrics: 2); no stored metric matches kraken:X/Y\n", "")
    frame = read(here / "prices.csv")
    assert keys(frame) == ["kraken:BTC/USD", "gemini:BTC/USD"]
    assert frame["time"].tolist() == ["2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"]

    assert main(["prices.csv"]) == 2
    assert capsys.readouterr().err == "data-tracker: prices.csv already exists; --force replaces it\n"
    assert main(["prices.csv", "--force", "--metric", "kraken:*", "--metric", "gemini:*"]) == 0
    assert capsys.readouterr().out == "prices.csv: 11 prices (metrics: 3)\n"
    assert main(["volumes.csv", "--volumes"]) == 0
    assert capsys.readouterr().out == "volumes.csv: 0 volumes (metrics: 0)\n"
    assert names(here) == ["prices.csv", "volumes.csv"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: FILE"),
        (["p.csv", "--since", "yesterday"], "argument --since: 'yesterday' is neither an ISO-8601 time nor epoch"),
        (["p.csv", "--until", str(T * 1000)], f"argument --until: '{T}000' is neither"),
        (["p.csv", "--metric", "kraken"], "argument --metric: 'kraken' is not exchange:BASE/QUOTE"),
        (["p.csv", "--metric", ","], "argument --metric: names no pair"),
        (["p.csv", "--since", "2026-03-02", "--until", "2026-03-02"], "argument --since: must lie before --until"),
    ],
)
def test_a_bad_argument_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"app.py export: error: {complaint}")


@pytest.mark.parametrize(
    ("url", "file", "complaint"),
    [
        ("sqlite:///nowhere.db", "p.csv", "DATABASE_URL: there is no file nowhere.db"),
        ("sqlite:///empty.db", "p.csv", "`python app.py migrate` brings it there"),
        ("sqlite:///empty.db", "p.txt", "p.txt: the name must end in .csv or .parquet"),
        ("oracle://me:s3cret@host/db", "p.csv", "DATABASE_URL: oracle is neither"),
    ],
)
def test_the_command_prints_its_error_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    file: str,
    complaint: str,
) -> None:
    (tmp_path / "empty.db").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url)

    assert main([file]) == 2

    check_one_line_error(capsys, complaint)
    assert not (tmp_path / file).exists()


@pytest.mark.processes
@pytest.mark.usefixtures("engine")
def test_the_command_runs_as_a_program(tmp_path: Path, migrated_url: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DATABASE_URL": migrated_url}
    command = [sys.executable, str(ROOT / "app.py"), "export", "prices.parquet", "--metric", "kraken:*/USD"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "prices.parquet: 8 prices (metrics: 1)\n", "")
    frame = pd.read_parquet(tmp_path / "prices.parquet")
    assert frame["price"].tolist() == AWKWARD
    assert frame["time"].iloc[-1] == datetime(2026, 3, 1, 12, tzinfo=UTC)
