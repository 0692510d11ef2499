"""Simulated viewers of the ranking: `python -m benchmarks.crowd` with a JSON order on stdin.

Each viewer sends the page's requests: /live about every 1.5 s with its last entity tag, and the gzipped /table when
the revision is new. The order holds `port`, `viewers` and `seconds`; requests in the first `opening` seconds are not
counted. The answer on stdout holds the `durations` of requests by path, in milliseconds.
"""

import asyncio
import gzip
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

POLL_SECONDS = 1.5
"""The page's interval, from layouts/shell.py."""


@dataclass
class Viewer:
    """One open page with a persistent connection."""

    port: int
    number: int
    counted_from: float
    durations: dict[str, list[float]]
    tags: dict[str, str] = field(default_factory=dict)
    revision: int | None = None

    async def watch(self, until: float) -> None:
        await asyncio.sleep(Random(self.number).uniform(0, POLL_SECONDS))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.monotonic() < until:
            body = await self._ask(reader, writer, "/live")
            if body and (revision := json.loads(body)["revision"]) != self.revision:
                opening, self.revision = self.revision is None, revision
                await self._ask(reader, writer, "/table")
                if opening:
                    await self._ask(reader, writer, "/sparklines")
            await asyncio.sleep(POLL_SECONDS)
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
        """The body of a 200 response, empty for 304. Raises RuntimeError for any other status."""
        began = time.monotonic()
        known = f"If-None-Match: {self.tags[path]}\r\n" if path in self.tags else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n{known}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if began >= self.counted_from:
            self.durations[path].append((time.monotonic() - began) * 1e3)
        status = int(first.split()[1])
        if status not in (200, 304):
            raise RuntimeError(f"{path}: {first}")
        self.tags[path] = headers["etag"]
        return gzip.decompress(body) if headers.get("content-encoding") == "gzip" and path == "/live" else body


async def watch(port: int, viewers: int, opening: float, seconds: float) -> dict[str, list[float]]:
    """Run `viewers` viewers for `seconds`. Returns durations by path."""
    durations: dict[str, list[float]] = defaultdict(list)
    now = time.monotonic()
    crowd = [Viewer(port, number, now + opening, durations) for number in range(viewers)]
    await asyncio.gather(*(viewer.watch(now + seconds) for viewer in crowd))
    return durations


if __name__ == "__main__":
    json.dump(asyncio.run(watch(**json.load(sys.stdin))), sys.stdout)
