"""What takes tasks from the broker in a worker: Celery's own consumer, made to outlive the broker."""

from typing import Any

from celery.worker.consumer import Consumer


class LastingConsumer(Consumer):  # type: ignore[misc] # Celery is not typed
    """Comes back by itself however long the broker is away, and whatever it was doing when that went.

    Celery would still give back or acknowledge what came by a lost connection. It fails at that with errors that it
    does not expect, which end the whole worker (celery 5.7.0 with kombu 5.7.0).
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of the tasks that came by the lost connection: the clock asks for them again."""
        if self.task_consumer is not None:
            _abandon(self.task_consumer.channel)
        super().on_connection_error_after_connected(exc)


def _abandon(channel: Any) -> None:
    channel.do_restore = False
    channel.basic_ack = channel.basic_reject = _nothing


def _nothing(*_: object, **__: object) -> None:
    """There is nobody to tell."""
