"""The recipes of the documentation, run against the program."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.processes

RECIPES = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
DOCUMENTED_ADDRESS = "http://127.0.0.1:8888"
UTC = pd.DatetimeTZDtype("us", "UTC")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", RECIPES, re.DOTALL)


@pytest.fixture
def python_results(address: str) -> dict[str, Any]:
    """The variables that the Python blocks define."""
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block.replace(DOCUMENTED_ADDRESS, address), names)
    return names


def test_every_command_of_the_recipes_works(address: str, tmp_path: Path) -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 8
    for command in commands:
        done = subprocess.run(
            shlex.split(command.replace(DOCUMENTED_ADDRESS, address)), cwd=tmp_path, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        if " -o " not in command:
            assert len(done.stdout) > 20, command
    assert (tmp_path / "bitcoin.csv").read_text().count("\n") == 2
    assert (tmp_path / "ranking.json").read_text().startswith('{"metrics":[')
    newer = tmp_path / "newer.json"
    assert not newer.exists() or newer.read_text() == ""


def test_the_ranking_becomes_a_data_frame_with_the_right_types(python_results: dict[str, Any]) -> None:
    for frame in (python_results["ranking"], python_results["same"]):
        assert len(frame) == 5
        assert frame["updated_at"].dtype == UTC
        assert frame["updated_at"].iloc[0] == pd.Timestamp("2026-03-01T12:10:00Z")
        for name in ("id", "rank", "samples"):
            assert frame[name].dtype == "int64", name
        for name in ("stdev", "price", "mean", "volatility"):
            assert frame[name].dtype == "float64", name
        for name in ("market", "base", "quote"):
            assert frame[name].dtype == "str", name
        assert frame["active"].dtype == "bool"
    pd.testing.assert_series_equal(python_results["ranking"]["stdev"], python_results["same"]["stdev"])


def test_coins_with_names_that_pandas_reads_as_missing_keep_them(python_results: dict[str, Any]) -> None:
    assert {"NULL", "1"} <= set(python_results["ranking"]["base"])
    assert {"NULL", "1"} <= set(python_results["same"]["base"])


def test_prices_become_a_series_with_utc_times(python_results: dict[str, Any]) -> None:
    prices, candles = python_results["prices"], python_results["candles"]

    assert (prices.index.dtype, candles.index.dtype) == (UTC, UTC)
    assert prices.index[-1] == pd.Timestamp("2026-03-01T12:10:00Z")
    assert list(candles.index) == [pd.Timestamp("2026-03-01T12:00:00Z"), pd.Timestamp("2026-03-01T12:05:00Z")]
    assert prices["price"].iloc[-1] == candles["close"].iloc[-1] == pytest.approx(60_000.5 * 1.001**10)
    assert (candles["close"].dtype, candles["count"].sum()) == ("float64", 10)


def test_plain_calls_pass_times_and_numbers_too(address: str) -> None:
    frame = pd.read_json(f"{address}/metrics/kraken:BTC-USD/prices?format=records")
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "datetime64[us, UTC]", "int64"]


def test_the_nested_answer_and_the_pages_have_the_same_prices(python_results: dict[str, Any]) -> None:
    assert (
        list(python_results["original"]["createdAt"])
        == list(python_results["prices"].index)
        == list(python_results["year"]["created_at"])
    )
    assert python_results["year"]["created_at"].dtype.tz is not None
