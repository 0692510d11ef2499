import logging

import pytest

from services.market.failures import MAX_REASONS, Failures
from tests.fakes import Timer


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_lasting_failure_is_logged_once_and_its_end_with_count_and_duration(caplog: pytest.LogCaptureFixture) -> None:
    timer = Timer()
    failures = Failures(timer)
    for _ in range(100):
        failures.failed("lease", "cannot be renewed: disk full")
        timer.now += 0.6
    assert failures.count("lease") == 100
    failures.ended("lease", "can be renewed again")
    failures.ended("lease", "can be renewed again")

    assert failures.count("lease") == 0
    assert logged(caplog) == [
        ("WARNING", "lease: cannot be renewed: disk full"),
        ("INFO", "lease: can be renewed again, after 100 failures in 0:01:00"),
    ]


def test_another_reason_is_logged_too_and_each_reason_only_once(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures(Timer())
    for text in ("locked", "full", "locked", "full"):
        failures.failed("tick", text, level=logging.ERROR)

    assert logged(caplog) == [("ERROR", "tick: locked"), ("ERROR", "tick: full")]


def test_reasons_that_differ_each_time_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures(Timer())
    for number in range(1_000):
        failures.failed("tick", f"port {number} refused the connection")
    failures.ended("tick")

    assert len(logged(caplog)) == MAX_REASONS + 1
    assert logged(caplog)[-1] == ("INFO", "tick: works again, after 1000 failures in 0:00:00")


def test_failures_are_logged_independently(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures(Timer())
    failures.failed("mail", "away")
    failures.failed("chat", "away")
    failures.ended("chat")

    assert [text for _, text in logged(caplog)] == [
        "mail: away",
        "chat: away",
        "chat: works again, after 1 failure in 0:00:00",
    ]


def test_an_unexpected_error_is_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures(Timer())
    for _ in range(3):
        try:
            raise ZeroDivisionError("by nothing")
        except ZeroDivisionError as error:
            failures.crashed("tick", error)

    assert logged(caplog) == [("ERROR", "tick: broke off")]
    assert "ZeroDivisionError: by nothing" in caplog.text


def test_a_failure_that_was_quiet_for_long_is_a_new_one(caplog: pytest.LogCaptureFixture) -> None:
    timer = Timer()
    failures = Failures(timer, quiet_seconds=600)
    for seconds in (0, 60, 600, 601):
        timer.now += seconds
        failures.failed("callback", "failed")

    assert [text for _, text in logged(caplog)] == [
        "callback: failed",
        "callback: did not happen again, after 3 failures in 0:11:00",
        "callback: failed",
    ]
