"""The dead man's switch: an address that is requested after each good tick, so that a monitor notices silence."""

from threading import Lock, Thread

from services.market.errors import DeliveryFailed
from services.market.failures import Failures
from services.notifiers import safe_http
from services.notifiers.safe_http import Target

SECONDS = 5.0

_NAME = "HEARTBEAT_URL"


class Heartbeat:
    """Pings one address in the background."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._pinging = Lock()
        self._failures = Failures()

    def beat(self) -> None:
        """Ping, unless the last ping is still under way. Failures are logged when they begin and when they end."""
        if self._pinging.acquire(blocking=False):
            Thread(target=self._ping, name="heartbeat", daemon=True).start()

    def _ping(self) -> None:
        try:
            answer = safe_http.ask(self._target, None, {}, seconds=SECONDS, allow_private=True)
            if 200 <= answer.status < 300:
                self._failures.ended(_NAME, "answers again")
            else:
                self._failures.failed(_NAME, f"answered {answer.status}")
        except DeliveryFailed as error:
            self._failures.failed(_NAME, str(error))
        finally:
            self._pinging.release()
