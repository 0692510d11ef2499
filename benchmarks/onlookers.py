"""Clients that request long work, and one that sends ordinary requests: `python -m benchmarks.onlookers` with a JSON
order on stdin.

The order holds `port`, `clients`, `request` ([method, path, body]; `{}` in the path becomes a new number each time)
and `seconds`. A refused client tries again after `Retry-After`. The answer on stdout follows the line READY. It holds
the count of each status (`statuses`), the seconds of each successful request (`took`) and the `waits` of ordinary
requests by path, in milliseconds. Requests that are unanswered at the end are abandoned.
"""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from http.client import HTTPConnection
from itertools import count
from threading import Thread
from typing import Any

PATHS = ("/healthz", "/live", "/")
READY = "ready"
"""The first line on stdout: the first request follows at once. Starting a client takes a processor, which is not what
is measured."""
PAUSE_SECONDS = 0.25
TIMEOUT_SECONDS = 300.0


def measure(port: int, clients: int, request: Sequence[Any], seconds: float) -> dict[str, Any]:
    """Run the clients and the onlooker for `seconds`, and return their figures."""
    method, template, body = request
    until = time.monotonic() + seconds
    statuses: Counter[str] = Counter()
    took: list[float] = []
    waits: dict[str, list[float]] = defaultdict(list)
    numbers = count()

    def request_repeatedly() -> None:
        while time.monotonic() < until:
            status, elapsed, retry_after = _request(port, method, template.format(next(numbers)), body)
            statuses[str(status)] += 1
            if status == 200:
                took.append(elapsed)
            time.sleep(min(retry_after, max(0.0, until - time.monotonic())))

    def watch(path: str) -> None:
        while time.monotonic() < until:
            waits[path].append(_request(port, "GET", path, None)[1] * 1e3)
            time.sleep(PAUSE_SECONDS)

    watching = [Thread(target=watch, args=(path,)) for path in PATHS]
    for thread in (*watching, *(Thread(target=request_repeatedly, daemon=True) for _ in range(clients))):
        thread.start()
    for thread in watching:
        thread.join()
    return {"statuses": dict(statuses), "took": took, "waits": dict(waits)}


def _request(port: int, method: str, path: str, body: object) -> tuple[int, float, float]:
    """The status, the seconds until the response was complete, and the seconds of `Retry-After`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    began = time.monotonic()
    headers = {"Accept-Encoding": "gzip", **({"Content-Type": "application/json"} if body is not None else {})}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, time.monotonic() - began, float(answer.headers.get("Retry-After", 0))


if __name__ == "__main__":
    order = json.load(sys.stdin)
    print(READY, flush=True)
    json.dump(measure(**order), sys.stdout)
