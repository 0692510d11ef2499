"""What the commands that make a file share: it is there whole or not at all, and they say what came of it."""

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
"""Is told how much is done, how much there is in all, and in words what else has come of it."""

FAILED = 2
INTERRUPTED = 130


class CannotWrite(TrackerError):
    """The file cannot be made; whatever was at its place is as it was."""


@contextmanager
def atomic_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A path to write to; what is there when the block ends well becomes `path`, else nothing is left behind.

    Only `force` replaces a file that exists. Raises CannotWrite, also for an OSError from within the block.
    """
    try:
        target = path.resolve()  # through a link to what it names
        if not target.parent.is_dir():
            raise CannotWrite(f"{path}: there is no folder {target.parent}")
        if target.exists():
            if not target.is_file():
                raise CannotWrite(f"{path} exists and is no ordinary file")
            if not force:
                raise CannotWrite(f"{path} exists already; --force replaces it")
        # A folder of its own also takes what is written beside the file, as SQLite's journals.
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
    """Shows on the terminal that stderr is how far a work of so many `unit` has come, how fast it goes and when it will
    be done; elsewhere, nothing."""
    with tqdm(unit=unit, unit_scale=True, dynamic_ncols=True, disable=None) as bar:

        def show(done: int, total: int, told: str) -> None:
            bar.total = total
            bar.set_postfix_str(told, refresh=False)
            bar.update(done - bar.n)

        yield show
        bar.refresh()  # the last words may be younger than the last picture


def format_size(size: int) -> str:
    """So many bytes, to three digits: 12.3MB."""
    return str(tqdm.format_sizeof(size, "B"))


def run_command(work: Callable[[], str]) -> int:
    """Do `work` and print its answer, or in one line what went wrong; answers the exit status."""
    asked_to_end = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(work())
    except TrackerError as error:
        print(f"data-tracker: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("data-tracker: interrupted, nothing was written", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, asked_to_end)
    return 0
