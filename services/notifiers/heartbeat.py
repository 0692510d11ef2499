"""The dead man's switch: an address that is asked for after each good tick, so that another machine notices silence."""

import logging
from threading import Lock, Thread

from services.market.errors import DeliveryFailed
from services.notifiers import outward
from services.notifiers.outward import Target

SECONDS = 5.0

log = logging.getLogger(__name__)


class Heartbeat:
    """Pings one address; nobody waits for it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._pinging = Lock()
        self._is_failing = False

    def beat(self) -> None:
        """Ping in the background, unless the last ping is still under way; a failure is told once, and its end."""
        if self._pinging.acquire(blocking=False):
            Thread(target=self._ping, name="heartbeat", daemon=True).start()

    def _ping(self) -> None:
        try:
            answer = outward.ask("GET", self._target, None, {}, seconds=SECONDS, allow_private=True)
            self._note(None if 200 <= answer.status < 300 else f"answered {answer.status}")
        except DeliveryFailed as error:
            self._note(str(error))
        finally:
            self._pinging.release()

    def _note(self, failure: str | None) -> None:
        if failure is not None and not self._is_failing:
            log.warning("HEARTBEAT_URL: %s", failure)
        elif failure is None and self._is_failing:
            log.info("HEARTBEAT_URL: answers again")
        self._is_failing = failure is not None
