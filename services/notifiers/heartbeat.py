"""The dead man's switch: requests a URL after each tick that stored prices. A monitoring service notices when no more
requests come."""

from threading import Lock, Thread

from services.market.errors import DeliveryFailed
from services.market.failures import Failures
from services.notifiers import safe_http
from services.notifiers.safe_http import Target

SECONDS = 5.0

_NAME = "HEARTBEAT_URL"


class Heartbeat:
    """Requests one URL in the background."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._pinging = Lock()
        self._failures = Failures()

    def beat(self) -> None:
        """Send a request, unless the previous one is unfinished. Logs when failures begin and when they end."""
        if self._pinging.acquire(blocking=False):
            Thread(target=self._ping, name="heartbeat", daemon=True).start()

    def _ping(self) -> None:
        try:
            reply = safe_http.send_request(self._target, None, {}, seconds=SECONDS, allow_private=True)
            if 200 <= reply.status < 300:
                self._failures.ended(_NAME, "answers again")
            else:
                self._failures.failed(_NAME, f"answered {reply.status}")
        except DeliveryFailed as error:
            self._failures.failed(_NAME, str(error))
        finally:
            self._pinging.release()
