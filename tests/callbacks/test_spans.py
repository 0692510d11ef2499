from datetime import timedelta

import pytest

from callbacks.spans import past_of
from layouts.spans import SPANS
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeReader


class Listening(FakeReader):
    def prices(self, metric_id, since, until):
        self.calls.append(("prices", since, until))
        return super().prices(metric_id, since, until)

    def volumes(self, metric_id, since, until):
        self.calls.append(("volumes", since, until))
        return super().volumes(metric_id, since, until)

    def hours(self, metric_id, since, until):
        self.calls.append(("hours", since, until))
        return super().hours(metric_id, since, until)


@pytest.mark.parametrize(
    ("span", "asked"),
    [
        ("1", {("prices", 75 * 60), ("volumes", 3600)}),
        ("24", {("prices", 25 * 3600), ("volumes", 24 * 3600)}),
        ("720", {("hours", 31 * 86_400)}),
    ],
)
def test_all_who_look_within_one_period_ask_the_same(span: str, asked: set[tuple[str, int]]) -> None:
    reader = Listening(metrics=(builders.ranked_metric(1),))
    for seconds in (0, 17.25, 59.9):
        past_of(reader, 1, NOON + timedelta(seconds=seconds), SPANS[span])

    questions = {call for call in reader.calls if isinstance(call, tuple)}
    assert questions == {(what, NOON - timedelta(seconds=seconds), NOON) for what, seconds in asked}
