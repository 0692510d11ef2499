"""Where a test run writes."""

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory_folder

DEAD = 2**31 - 1  # no process has this number


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody has said where temporary files belong; afterwards as it was."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "ENOUGH_BYTES", 1)


@pytest.mark.usefixtures("anywhere", "roomy")
def test_temporary_files_lie_in_memory_for_this_process_and_those_it_starts(tmp_path: Path) -> None:
    folder = memory_folder.use_memory(tmp_path)

    assert folder is not None
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(folder)
    assert folder.parent == tmp_path


@pytest.mark.usefixtures("anywhere", "roomy")
def test_what_runs_that_have_ended_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left, running, foreign = (
        tmp_path / name
        for name in (f"{memory_folder.PREFIX}{DEAD}", f"{memory_folder.PREFIX}{os.getppid()}", "of-others")
    )
    for folder in (left, running, foreign):
        (folder / "files").mkdir(parents=True)

    memory_folder.use_memory(tmp_path)

    assert [folder.exists() for folder in (left, running, foreign)] == [False, True, True]


@pytest.mark.usefixtures("anywhere")
def test_a_machine_without_the_room_goes_on_where_temporary_files_usually_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_folder, "ENOUGH_BYTES", 2**62)

    assert memory_folder.use_memory(tmp_path) is None
    assert memory_folder.use_memory(tmp_path / "nowhere") is None
    assert "TMPDIR" not in os.environ
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("roomy")
def test_who_has_said_where_they_belong_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/elsewhere")

    assert memory_folder.use_memory(tmp_path) is None
    assert os.environ["TMPDIR"] == "/elsewhere"
