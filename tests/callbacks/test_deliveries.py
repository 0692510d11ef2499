from typing import Any

import pytest

from layouts import ids
from layouts.deliveries import PAGE_ROWS
from tests import builders
from tests.callbacks.test_callbacks import app_over, fire
from tests.fakes import FakeDeliveries, FakeReader
from tests.layouts.reading import actions_in, drawn, rows_of, text_of

MANY = 120


@pytest.fixture
def deliveries() -> FakeDeliveries:
    messages = (builders.delivery(number, attempts=number) for number in range(MANY, 0, -1))
    return FakeDeliveries(channels=("ops",), messages=tuple(messages))


def follow(deliveries: FakeDeliveries, action: Any = None, page: int = 1, known: Any = None) -> dict[str, Any]:
    """The response to an open page with the rows `known`: to its next poll, or to a pressed button."""
    values = {
        ids.DELIVERIES_POLL: 1,
        ids.DELIVERIES: action,
        ids.DELIVERIES_PAGE: page,
        ids.VIEW: {"zone": "UTC"},
    }
    trigger = f"{ids.DELIVERIES_POLL}.n_intervals" if action is None else f"{ids.DELIVERIES}.action"
    app = app_over(FakeReader(), deliveries)
    found: dict[str, Any] = fire(app, trigger, known={ids.DELIVERIES: known}, **values).json["response"]
    return found


def attempts(response: dict[str, Any]) -> list[int]:
    rows = rows_of(drawn(response[ids.DELIVERIES]["content"]))[1:]
    return [int(row.rsplit("|", 1)[-1]) for row in rows]


def test_messages_are_shown_page_by_page(deliveries: FakeDeliveries) -> None:
    first = follow(deliveries)
    second = follow(deliveries, {"act": "page", "page": "2", "press": 1})
    third = follow(deliveries, page=3)

    assert attempts(first) == list(range(120, 70, -1))
    assert "1 to 50|Newer|Older" in text_of(drawn(first[ids.DELIVERIES]["content"]))
    assert attempts(second) == list(range(70, 20, -1))
    assert second[ids.DELIVERIES_PAGE] == {"data": 2}
    assert attempts(third) == list(range(20, 0, -1))
    assert "101 to 120" in text_of(drawn(third[ids.DELIVERIES]["content"]))


def test_a_single_page_of_messages_has_no_pager(deliveries: FakeDeliveries) -> None:
    deliveries.messages = deliveries.messages[:PAGE_ROWS]

    assert "Older" not in text_of(drawn(follow(deliveries)[ids.DELIVERIES]["content"]))


def test_an_open_page_gets_only_changes(deliveries: FakeDeliveries) -> None:
    known = follow(deliveries)[ids.DELIVERIES]["content"]["known"]
    assert follow(deliveries, known=known) == {}

    deliveries.messages = (builders.delivery(MANY + 1), *deliveries.messages)
    *rows, _ = follow(deliveries, known=known)[ids.DELIVERIES]["content"]["rows"].values()

    assert [row[1]["key"] for row in rows] == [f"message-{MANY + 1}"]


def test_a_failed_message_is_retried(deliveries: FakeDeliveries) -> None:
    deliveries.messages = (builders.delivery(2, state="failed", sent_at=None, error="500"), builders.delivery(1))
    shown = drawn(follow(deliveries)[ids.DELIVERIES]["content"])
    assert actions_in(shown) == [{"act": "retry", "number": "2"}]

    after = follow(deliveries, {"act": "retry", "number": "2", "press": 1})

    assert [one.state for one in deliveries.messages] == ["queued", "sent"]
    assert "Queued" in text_of(drawn(after[ids.DELIVERIES]["content"]))
    assert follow(deliveries, {"act": "retry", "number": "2", "press": 2})  # somebody else has retried it before
