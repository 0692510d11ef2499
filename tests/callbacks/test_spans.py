from datetime import timedelta

import numpy as np
import pytest

from callbacks.spans import read_chart
from layouts.spans import SPANS
from services.market.types import Series
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
        ("1", {("prices", 120 * 60), ("volumes", 3600)}),
        ("24", {("prices", 25 * 3600), ("volumes", 24 * 3600)}),
        ("720", {("hours", 31 * 86_400)}),
    ],
)
def test_all_requests_within_one_period_read_the_same_span(span: str, asked: set[tuple[str, int]]) -> None:
    reader = Listening(metrics=(builders.ranked_metric(1),))
    for seconds in (0, 17.25, 59.9):
        read_chart(reader, 1, NOON + timedelta(seconds=seconds), SPANS[span])

    questions = {call for call in reader.calls if isinstance(call, tuple)}
    assert questions == {(what, NOON - timedelta(seconds=seconds), NOON) for what, seconds in asked}


def begins(reader: FakeReader, span: str) -> int | None:
    begin = read_chart(reader, 1, NOON, SPANS[span]).begins
    return None if begin is None else int(NOON.timestamp()) - begin


@pytest.mark.parametrize("span", ["24", "168", "720", "8760"])
def test_the_start_of_history_within_the_span_is_known_to_the_minute(span: str) -> None:
    reader = FakeReader(metrics=(builders.ranked_metric(1),), price_series={1: builders.series([1.0] * 100)})

    assert begins(reader, span) == 99 * 60


def test_a_gap_at_the_start_of_the_span_is_not_the_start_of_history() -> None:
    reader = FakeReader(metrics=(builders.ranked_metric(1),), price_series={1: builders.series([1.0] * 3000)})
    whole = reader.price_series[1]

    assert begins(reader, "24") is None
    for gap in (
        slice(1000, 2000),
        slice(1440, 2900),
    ):  # the first gap covers the start of the span and the hour before it
        present = np.delete(np.arange(3000), gap)
        reader.price_series[1] = Series(whole.times[present], whole.values[present], whole.widths[present])
        assert begins(reader, "24") is None


def test_a_metric_without_prices_has_no_beginning() -> None:
    assert begins(FakeReader(metrics=(builders.ranked_metric(1),)), "24") is None
