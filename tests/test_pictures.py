"""The pictures of the documentation show the program as it is, and the same in every run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts import pictures
from scripts.pictures import LAST_TICK, LOOKED_AT, PICTURES, program
from services.bootstrap import Services
from services.market.types import AlertQuery, RankedMetric

ROOT = Path(__file__).parents[1]
TICKED = timedelta(hours=3)


@contextmanager
def ran(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    folder.mkdir()
    monkeypatch.chdir(folder)
    with program(TICKED) as services:
        yield services


def test_two_runs_show_the_same_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[RankedMetric, ...]] = []
    for name in ("first", "second"):
        with ran(tmp_path / name, monkeypatch) as services:
            found.append(services.reader.ranking().metrics)

    assert found[0] == found[1]
    assert len(found[0]) == 40
    assert {row.samples for row in found[0]} == {1440}


def test_there_is_something_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ran(tmp_path / "run", monkeypatch) as services:
        status = services.reader.status(LOOKED_AT)
        fired = services.desk.alerts(AlertQuery())
        day = services.reader.day(LOOKED_AT)

    assert (status.minute, status.stale, status.live, status.holder) == (LAST_TICK, False, 40, services.owner)
    assert {alert.acknowledged_by for alert in fired} == {None, "anna"}
    assert int(day.ticks.ticks.sum()) == TICKED // timedelta(minutes=1) + 1
    assert np.nanmax(day.ticks.longest_ms) < 100


def test_every_picture_is_there_and_stands_in_the_documentation() -> None:
    made = {picture.file_name for picture in PICTURES}
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"pictures/([\w-]+\.png)", page.read_text())}

    assert {path.name for path in pictures.FOLDER.iterdir()} == made == shown


def test_a_picture_that_looks_the_same_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    picture, image = PICTURES[0], Image.new("RGB", (60, 40), (200, 30, 30))

    assert pictures.renewed(picture, image) == "0 kB"
    image.putpixel((5, 5), (205, 30, 30))
    assert pictures.renewed(picture, image) == "as before"
    image.putpixel((5, 5), (30, 30, 200))
    assert pictures.renewed(picture, image) == "0 kB"
    with Image.open(tmp_path / picture.file_name) as written:
        assert written.convert("RGB").getpixel((5, 5)) == (30, 30, 200)
