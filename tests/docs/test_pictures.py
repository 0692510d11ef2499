"""The pictures show the current program and are the same in every run."""

import re
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts import pictures
from scripts.pictures import LAST_TICK, LOOKED_AT, PICTURES, program
from services.bootstrap import Services
from tests.docs.documents import PAGES

TICKED = timedelta(hours=3)


@contextmanager
def run(folder: Path) -> Iterator[Services]:
    with chdir(folder), program(TICKED) as services:
        yield services


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with run(tmp_path_factory.mktemp("pictures")) as services:
        yield services


def test_the_program_in_the_pictures_has_prices_and_alerts(ran: Services) -> None:
    status = ran.reader.status(LOOKED_AT)
    fired = ran.reader.alerts()
    day = ran.reader.day(LOOKED_AT)

    assert (status.minute, status.stale, status.live, status.holder) == (LAST_TICK, False, 40, ran.owner)
    assert {row.samples for row in ran.reader.ranking().metrics} == {1440}
    assert {alert.acknowledged_by for alert in fired} == {None, "anna"}
    assert int(day.ticks.ticks.sum()) == TICKED // timedelta(minutes=1) + 1
    assert np.nanmax(day.ticks.longest_ms) < 100


def test_the_next_run_shows_the_same_market(ran: Services, tmp_path: Path) -> None:
    with run(tmp_path) as again:
        assert again.reader.ranking() == ran.reader.ranking()
        assert again.reader.alerts() == ran.reader.alerts()


def test_every_picture_exists_and_is_used_on_a_page() -> None:
    made = {picture.file_name for picture in PICTURES}
    shown = {name for text in PAGES.values() for name in re.findall(r"pictures/([\w-]+\.png)", text)}

    assert {path.name for path in pictures.FOLDER.iterdir()} == made == shown


def test_a_picture_without_visible_changes_is_not_rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    picture, image = PICTURES[0], Image.new("RGB", (60, 40), (200, 30, 30))

    assert pictures.renewed(picture, image) != "as before"
    image.putpixel((5, 5), (205, 30, 30))
    assert pictures.renewed(picture, image) == "as before"
    image.putpixel((5, 5), (30, 30, 200))
    assert pictures.renewed(picture, image) != "as before"
    with Image.open(tmp_path / picture.file_name) as written:
        assert written.convert("RGB").getpixel((5, 5)) == (30, 30, 200)
