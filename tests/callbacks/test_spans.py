from datetime import timedelta

import pytest

from callbacks.spans import history_of
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeReader


@pytest.mark.parametrize("span", ["1", "24", "720"])
def test_all_who_look_within_one_period_ask_the_same(span: str) -> None:
    asked = []

    class Listening(FakeReader):
        def prices(self, metric_id, since, until):
            asked.append((since, until))
            return super().prices(metric_id, since, until)

        def hours(self, metric_id, since, until):
            asked.append((since, until))
            return super().hours(metric_id, since, until)

    reader = Listening(metrics=(builders.ranked_metric(1),))
    for seconds in (0, 17.25, 59.9):
        history_of(reader, 1, NOON + timedelta(seconds=seconds), span)

    assert set(asked) == {(NOON - timedelta(hours=int(span)), NOON)}
