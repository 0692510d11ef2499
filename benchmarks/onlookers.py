"""Some who ask for long work all at once, and one who only looks: `python -m benchmarks.onlookers` with a JSON order on
stdin.

The order names `port`, `asking` (how many ask), what is `asked` ([method, path, body]; never the same twice where `{}`
in the path stands for a number), and `seconds`. Whoever is refused comes back when `Retry-After` says. The answer on
stdout gives how often each of `statuses` was told, the seconds that each request took that was carried out (`took`),
and the `waits` of the onlooker by path, in milliseconds. What is not answered by then is left.
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
PAUSE_SECONDS = 0.25
PATIENCE_SECONDS = 300.0


def look(port: int, asking: int, asked: Sequence[Any], seconds: float) -> dict[str, Any]:
    """What came of it."""
    method, path_asked, body = asked
    until = time.monotonic() + seconds
    statuses: Counter[str] = Counter()
    took: list[float] = []
    waits: dict[str, list[float]] = defaultdict(list)
    numbers = count()

    def ask() -> None:
        while time.monotonic() < until:
            status, elapsed, retry_after = _ask(port, method, path_asked.format(next(numbers)), body)
            statuses[str(status)] += 1
            if status == 200:
                took.append(elapsed)
            time.sleep(min(retry_after, max(0.0, until - time.monotonic())))

    def watch(path: str) -> None:
        while time.monotonic() < until:
            waits[path].append(_ask(port, "GET", path, None)[1] * 1e3)
            time.sleep(PAUSE_SECONDS)

    watching = [Thread(target=watch, args=(path,)) for path in PATHS]
    for thread in (*watching, *(Thread(target=ask, daemon=True) for _ in range(asking))):
        thread.start()
    for thread in watching:
        thread.join()
    return {"statuses": dict(statuses), "took": took, "waits": dict(waits)}


def _ask(port: int, method: str, path: str, body: object) -> tuple[int, float, float]:
    """The status, the seconds until all of the answer was there, and after how many to come back."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    began = time.monotonic()
    headers = {"Accept-Encoding": "gzip", **({"Content-Type": "application/json"} if body is not None else {})}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, time.monotonic() - began, float(answer.headers.get("Retry-After", 0))


if __name__ == "__main__":
    json.dump(look(**json.load(sys.stdin)), sys.stdout)
