"""The folder for the temporary files of a test run."""

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory_folder

DEAD = 2**31 - 1  # no process has this id


@pytest.fixture
def no_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """No configured folder for temporary files; restored afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")


@pytest.fixture
def enough_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_folder, "ENOUGH_BYTES", 1)


@pytest.mark.usefixtures("no_temporary_folder", "enough_memory")
def test_temporary_files_of_this_process_and_its_children_are_in_memory(tmp_path: Path) -> None:
    folder = memory_folder.use_memory(tmp_path)

    assert folder is not None
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(folder)
    assert folder.parent == tmp_path


@pytest.mark.usefixtures("no_temporary_folder", "enough_memory")
def test_only_folders_of_ended_runs_are_removed(tmp_path: Path) -> None:
    left, running, foreign = (
        tmp_path / name
        for name in (f"{memory_folder.PREFIX}{DEAD}", f"{memory_folder.PREFIX}{os.getppid()}", "of-others")
    )
    for folder in (left, running, foreign):
        (folder / "files").mkdir(parents=True)

    memory_folder.use_memory(tmp_path)

    assert [folder.exists() for folder in (left, running, foreign)] == [False, True, True]


@pytest.mark.usefixtures("no_temporary_folder")
def test_without_enough_memory_temporary_files_stay_at_their_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_folder, "ENOUGH_BYTES", 2**62)

    assert memory_folder.use_memory(tmp_path) is None
    assert memory_folder.use_memory(tmp_path / "nowhere") is None
    assert "TMPDIR" not in os.environ
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("enough_memory")
def test_tmpdir_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/elsewhere")

    assert memory_folder.use_memory(tmp_path) is None
    assert os.environ["TMPDIR"] == "/elsewhere"
