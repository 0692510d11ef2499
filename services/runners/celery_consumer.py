"""A worker's consumer of tasks: Celery's own, made to outlive the broker."""

import logging
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from services.market.failures import Failures

RECONNECT_SECONDS = 0.5
"""Seconds between two tries while the broker is away. Celery's own grow by two up to thirty: by then the period is over
whose tick the broker's return would have saved."""

_NAME = "worker"


class LastingConsumer(Consumer):  # type: ignore[misc] # Celery is not typed
    """Reconnects however long the broker is away, and whatever it was doing when the connection was lost.

    Celery tries to return or acknowledge tasks of a lost connection. That raises errors that it does not expect and
    that end the whole worker (celery 5.7.0 with kombu 5.7.0).
    """

    def ensure_connected(self, conn: Any) -> Any:
        """`conn`, as soon as the broker answers. Its absence and its return are logged once, not at each try."""
        failures = Failures()

        def count(error: Exception, _seconds: float) -> None:
            text = f"the broker is away, asked again until it is back: {error}"
            failures.failed(_NAME, text, reason=_NAME, level=logging.ERROR)

        conn.ensure_connection(count, interval_start=RECONNECT_SECONDS, interval_step=0.0, callback=maybe_shutdown)
        failures.ended(_NAME, "has its broker again")
        self.first_connection_attempt = False
        return conn

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop the tasks of the lost connection: the clock sends them again."""
        if self.task_consumer is not None:
            _abandon(self.task_consumer.channel)
        super().on_connection_error_after_connected(exc)


def _abandon(channel: Any) -> None:
    channel.do_restore = False
    channel.basic_ack = channel.basic_reject = _nothing


def _nothing(*_: object, **__: object) -> None:
    """Takes the place of calls that would reach the lost broker."""
