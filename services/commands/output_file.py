"""Shared by commands that write a file: an atomic file, a progress bar, and the exit status."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from services.market.errors import TrackerError

Progress = Callable[[int, int, str], object]
"""Called with the work done, all of the work, and a text about the result so far."""

FAILED = 2
INTERRUPTED = 130


class CannotWrite(TrackerError):
    """The file cannot be written; what was in its place is unchanged."""


@contextmanager
def atomic_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block succeeds and is removed when it fails.

    Only `force` replaces a file that exists. Raises CannotWrite, also for an OSError from within the block.
    """
    try:
        target = path.resolve()  # through a link to what it names
        if not target.parent.is_dir():
            raise CannotWrite(f"{path}: there is no folder {target.parent}")
        if target.exists():
            if not target.is_file():
                raise CannotWrite(f"{path} exists and is not a regular file")
            if not force:
                raise CannotWrite(f"{path} already exists; --force replaces it")
        # A folder of its own also holds the files that are written next to it, such as SQLite's journals.
        with TemporaryDirectory(prefix=".data-tracker-", dir=target.parent) as folder:
            unfinished = Path(folder, target.name)
            yield unfinished
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(target)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotWrite(f"{path}: {reason}") from error


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """Shows progress in `unit`, its rate and the time left on stderr, if that is a terminal."""
    with tqdm(unit=unit, unit_scale=True, dynamic_ncols=True, disable=None) as bar:

        def show(done: int, total: int, text: str) -> None:
            bar.total = total
            bar.set_postfix_str(text, refresh=False)
            bar.update(done - bar.n)

        yield show
        bar.refresh()  # its text may have changed since it was last drawn


def format_size(size: int) -> str:
    """A number of bytes to three digits: 12.3MB."""
    return str(tqdm.format_sizeof(size, "B"))


def run_command(work: Callable[[], str]) -> int:
    """Run `work` and print its result, or its error in one line. Returns the exit status."""
    previous_handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(work())
    except TrackerError as error:
        print(f"data-tracker: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("data-tracker: interrupted, nothing was written", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
    return 0
