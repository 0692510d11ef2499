from datetime import UTC, timedelta

from layouts import figures
from tests import builders


def test_ticks_are_drawn_oldest_first_and_stacked():
    earlier = builders.tick_state(minute=builders.NOON - timedelta(minutes=1), fetch_ms=100.0, commit_ms=5.0)

    drawn = figures.tick_figure((builders.tick_state(), earlier), UTC)

    assert drawn["data"][0]["x"] == ["2026-03-01T11:59:00", "2026-03-01T12:00:00"]
    assert [trace["y"] for trace in drawn["data"]] == [[100.0, 340.0], [5.0, 21.0]]
    assert drawn["layout"]["barmode"] == "stack"
