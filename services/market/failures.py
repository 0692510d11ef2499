"""Lasting failures: each is logged once, counted while it lasts, and logged again when it ends."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

MAX_REASONS = 5
"""Different reasons that are logged for one failure. Further ones are only counted: a text may differ each time."""

log = logging.getLogger(__name__)


@dataclass
class _Failing:
    since: float
    last: float
    count: int = 0
    reasons: set[object] = field(default_factory=set)


class Failures:
    """The present failures, by name. Thread-safe; `timer` returns seconds.

    A failure also ends if it does not happen again for `quiet_seconds`.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic, quiet_seconds: float = math.inf) -> None:
        self._timer = timer
        self._quiet_seconds = quiet_seconds
        self._failing: dict[str, _Failing] = {}
        self._lock = Lock()

    def failed(
        self,
        name: str,
        text: str,
        *,
        reason: object = None,
        level: int = logging.WARNING,
        trace: Exception | None = None,
    ) -> None:
        """Count a failure of `name`. Log `text` if it is the first one, or the first for this `reason` (by default the
        text), with the traceback of `trace` if given."""
        with self._lock:
            now = self._timer()
            failing = self._failing.get(name)
            if failing is not None and now - failing.last > self._quiet_seconds:
                self._end(name, "did not happen again", failing)
                failing = None
            if failing is None:
                failing = self._failing[name] = _Failing(now, now)
            failing.count += 1
            failing.last = now
            reason = text if reason is None else reason
            if reason in failing.reasons or len(failing.reasons) >= MAX_REASONS:
                return
            failing.reasons.add(reason)
            log.log(level, "%s: %s", name, text, exc_info=trace)

    def crashed(self, name: str, error: Exception, text: str = "broke off") -> None:
        """Count an unexpected error, as `failed`."""
        self.failed(name, text, reason=repr(error), level=logging.ERROR, trace=error)

    def ended(self, name: str, text: str = "works again") -> None:
        """Note that `name` works. If it had failed, log how often and how long."""
        if name not in self._failing:  # the usual case takes no lock
            return
        with self._lock:
            failing = self._failing.pop(name, None)
            if failing is not None:
                failing.last = self._timer()
                self._end(name, text, failing)

    def count(self, name: str) -> int:
        """The number of failures of `name` since it last worked."""
        failing = self._failing.get(name)
        return 0 if failing is None else failing.count

    def _end(self, name: str, text: str, failing: _Failing) -> None:
        often = f"{failing.count} failure{'s' * (failing.count != 1)}"
        log.info("%s: %s, after %s in %s", name, text, often, timedelta(seconds=round(failing.last - failing.since)))
