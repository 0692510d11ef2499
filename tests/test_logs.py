import json
import logging
import re
import time
from collections.abc import Iterator

import pytest

from services.logs import TRACE_MARK, quoted, set_up_logs

VERBOSE_LIBRARIES = ("apscheduler", "alembic", "asyncio", "werkzeug", "uvicorn.error", "urllib3")
UTC_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in VERBOSE_LIBRARIES}
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)


@pytest.fixture
def _another_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is nine hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-9")
        time.tzset()
        yield
    time.tzset()


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def record(created: float) -> logging.LogRecord:
    made = logging.LogRecord("room.part", logging.WARNING, "file.py", 1, "tick %d of %s", (7, "kraken"), None)
    made.created = created
    return made


def test_a_text_line_has_time_level_and_message(capsys):
    set_up_logs("INFO", "text")
    logging.getLogger("room").info("tick %d", 7)
    (line,) = written(capsys)
    assert re.fullmatch(UTC_TIME + " INFO    tick 7", line)


@pytest.mark.usefixtures("_another_time_zone")
def test_the_time_of_a_text_line_is_utc(capsys):
    set_up_logs("INFO", "text")
    logging.getLogger().handle(record(1_772_366_400.9))
    assert written(capsys) == ["2026-03-01T12:00:00Z WARNING tick 7 of kraken"]


@pytest.mark.usefixtures("_another_time_zone")
def test_a_json_line_is_one_object_with_time_level_logger_and_message(capsys):
    set_up_logs("INFO", "json")
    logging.getLogger().handle(record(1_772_366_400.9))
    (line,) = written(capsys)
    assert json.loads(line) == {
        "time": "2026-03-01T12:00:00Z",
        "level": "WARNING",
        "logger": "room.part",
        "message": "tick 7 of kraken",
    }


def test_a_json_event_with_a_traceback_is_one_line(capsys):
    set_up_logs("INFO", "json")
    try:
        raise ZeroDivisionError("two\nlines")
    except ZeroDivisionError:
        logging.getLogger("room").exception("it broke")
    (line,) = written(capsys)
    expected = json.loads(line)
    assert expected["message"] == "it broke"
    assert "ZeroDivisionError: two\nlines" in expected["exc_info"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", ["d", "i", "w", "e"]), ("INFO", ["i", "w", "e"]), ("WARNING", ["w", "e"]), ("ERROR", ["e"])],
)
def test_only_events_of_the_level_and_above_are_logged(capsys, level, expected):
    set_up_logs(level, "text")
    log = logging.getLogger("room")
    for severity, text in ((10, "d"), (20, "i"), (30, "w"), (40, "e")):
        log.log(severity, text)
    assert [line[-1] for line in written(capsys)] == expected


@pytest.mark.parametrize("name", VERBOSE_LIBRARIES)
def test_verbose_libraries_log_only_errors(capsys, name):
    set_up_logs("DEBUG", "text")
    log = logging.getLogger(name)
    log.warning("chatter")
    log.error("trouble")
    assert [line.rpartition(" ")[2] for line in written(capsys)] == ["trouble"]


def test_a_second_set_up_replaces_the_first(capsys):
    set_up_logs("INFO", "json")
    set_up_logs("INFO", "text")
    logging.getLogger("room").info("once")
    assert len(written(capsys)) == 1


FORGED = "2026-03-01T12:00:00Z ERROR   the exchange owes you money"
ENDINGS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029")
UNPRINTABLE = ("\x00", "\x1b[2K", "\x1b]0;title\x07", "\x7f", "\u202e", "\u200b", "\ud800")


@pytest.mark.parametrize("ending", [*ENDINGS, *UNPRINTABLE])
@pytest.mark.parametrize("style", ["text", "json"])
def test_text_from_outside_cannot_forge_or_hide_a_line(capfd, style, ending):
    set_up_logs("INFO", style)
    logging.getLogger("room").warning("nothing at %s", f"/x{ending}{FORGED}")
    try:
        raise ValueError(f"odd{ending}{FORGED}")
    except ValueError:
        logging.getLogger("room").exception("failed%s", ending, stack_info=True)

    err = capfd.readouterr().err
    assert err.isascii(), "escaped"
    lines = err.split("\n")[:-1]
    assert all(line.isprintable() for line in lines)
    events = [line for line in lines if not line.startswith(TRACE_MARK)]
    assert len(events) == 2
    opening = r"\{" if style == "json" else UTC_TIME + " (WARNING nothing at|ERROR   failed)"
    assert all(re.match(opening, line) for line in events)


def test_printable_text_is_unchanged():
    assert quoted("币安人生/USDT fällt um 3 %: 'x' \\n") == "币安人生/USDT fällt um 3 %: 'x' \\n"
    assert quoted("a\nb\x1b\u2028\ud800") == "a\\nb\\x1b\\u2028\\ud800"
