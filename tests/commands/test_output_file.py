import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.commands.output_file import CannotWrite, atomic_file, progress_bar, run_command
from services.market.errors import StoreUnavailable


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def nothing(_done: int, _total: int, _text: str) -> None:
    """Progress that is ignored."""


def check_one_line_error(capsys: pytest.CaptureFixture[str], complaint: str) -> None:
    """Check that a command printed one line with `complaint` and without the test's password."""
    output, errors = capsys.readouterr()
    assert output == ""
    assert len(errors.splitlines()) == 1
    assert errors.startswith("data-tracker: ")
    assert complaint in errors
    assert "s3cret" not in errors


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Limit this process's files to `size` bytes: writes fail with EFBIG, like ENOSPC on a full disk."""
    import resource  # not available on Windows, where these tests cannot run

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    with atomic_file(path) as unfinished:
        unfinished.write_text("half")
        assert not path.exists()
        unfinished.write_text("whole")

    assert path.read_text() == "whole"
    assert names(tmp_path) == ["result.csv"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with atomic_file(tmp_path / "result") as unfinished:
        unfinished.touch()

    assert (tmp_path / "result").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("accident", [KeyboardInterrupt, StoreUnavailable, OSError])
def test_an_accident_leaves_the_old_file_and_nothing_else(tmp_path: Path, accident: type[BaseException]) -> None:
    path = tmp_path / "result.csv"
    path.write_text("before")

    def begin() -> None:
        with atomic_file(path, force=True) as unfinished:
            unfinished.write_text("half")
            unfinished.with_name("result.csv-journal").write_text("beside it")
            raise accident("of the test")

    with pytest.raises((accident, CannotWrite), match="of the test"):
        begin()

    assert path.read_text() == "before"
    assert names(tmp_path) == ["result.csv"]


def test_a_file_that_exists_is_replaced_by_force_only(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text("before")

    with pytest.raises(CannotWrite, match=r"result\.csv already exists; --force replaces it"), atomic_file(path):
        pytest.fail("begun all the same")
    assert path.read_text() == "before"

    with atomic_file(path, force=True) as unfinished:
        unfinished.write_text("after")
    assert path.read_text() == "after"


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "link").symlink_to("shelf/result")
    with atomic_file(tmp_path / "link") as unfinished:
        unfinished.write_text("whole")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "shelf/result").read_text() == "whole"


@pytest.mark.parametrize("name", ["folder", "pipe"])
def test_only_a_regular_file_is_ever_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CannotWrite, match="not a regular file"), atomic_file(tmp_path / name, force=True):
        pytest.fail("begun all the same")


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_a_folder_that_is_missing_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(CannotWrite, match=f"there is no folder {tmp_path}/{folder}$"),
        atomic_file(tmp_path / folder / "result"),
    ):
        pytest.fail("begun all the same")


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    # Linux has a folder that nobody may write to, root included.
    with pytest.raises(CannotWrite, match=r"^/proc/self/result: [A-Z]"), atomic_file(Path("/proc/self/result")):
        pytest.fail("begun all the same")
    with pytest.raises(CannotWrite, match="File name too long"), atomic_file(tmp_path / ("x" * 300)):
        pytest.fail("begun all the same")


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(CannotWrite, match=r"result: File too large$"),
        full_disk(1_000),
        atomic_file(tmp_path / "result") as unfinished,
    ):
        unfinished.write_bytes(b"x" * 2_000)

    assert names(tmp_path) == []


def test_a_command_prints_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda: "done") == 0
    assert capsys.readouterr() == ("done\n", "")


def test_a_command_prints_its_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> str:
        raise CannotWrite("copy.db: no")

    assert run_command(work) == 2
    assert capsys.readouterr() == ("", "data-tracker: copy.db: no\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_asked_to_end_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    # As at a terminal: what a shell starts in the background is deaf to the interrupt key.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGTERM)

    def work() -> str:
        with atomic_file(tmp_path / "result") as unfinished:
            unfinished.write_text("half")
            signal.raise_signal(number)
        return "not reached"

    try:
        assert run_command(work) == 130
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert capsys.readouterr() == ("", "data-tracker: interrupted, nothing was written\n")
    assert names(tmp_path) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_progress_shows_on_a_terminal_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress_bar(" pages") as progress:
        progress(10, 40, "")
    assert capsys.readouterr().err == ""

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar(" pages") as progress:
        progress(10_000, 40_000, "")
        progress(40_000, 40_000, "price sent")
    shown = capsys.readouterr().err
    assert "100%" in shown
    assert "40.0k/40.0k" in shown
    assert "price sent" in shown
