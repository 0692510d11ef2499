"""`python app.py check`: the checks of /readyz, for a host that supervises processes without a web server."""

from services.bootstrap import Services
from services.market.errors import TrackerError
from services.store.database.engine import open_existing


def check(services: Services) -> int:
    """Returns the exit status 0 if ticks are stored. Otherwise raises TrackerError, which says why not."""
    open_existing(services.settings.database).dispose()
    services.require_current()
    now = services.clock()
    status = services.reader.status(now)
    if status.minute is None:
        raise TrackerError("no tick has been stored yet")
    if status.stale:
        raise TrackerError(f"the last tick is of {status.minute.isoformat()}, {status.why_stale(now)}")
    return 0
