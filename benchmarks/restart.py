"""`python -m benchmarks.restart PERIOD STARTED`: start the program and run the tick of epoch second PERIOD.

Prints the seconds since STARTED (epoch seconds) and the peak memory in megabytes.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.bootstrap import open_services
from services.pipeline.tick import tick
from services.settings import read_settings
from services.store.database import leases
from services.store.database.engine import writing


def main(period: str, started: str) -> None:
    """Start as app.py does, with a clock that stands at the period."""
    now = datetime.fromtimestamp(int(period), UTC)
    services = open_services(read_settings(None), lambda: now)
    services.migrate()
    with writing(services.engine) as connection:
        assert leases.take(connection, services.owner, now.timestamp(), 60)
    services.ingestion.discovery.run(now)
    report = tick(services.plan, services.ingestion.fetcher, now, timedelta(0), services.owner)
    assert report is not None
    assert report.state.stored > 0
    seconds = time.time() - float(started)
    services.close()
    print(seconds, _peak_megabytes())


def _peak_megabytes() -> float:
    """The peak resident memory of this process. getrusage would report its parent's if that were larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
