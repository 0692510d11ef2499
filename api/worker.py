"""gunicorn's worker: the same server as that of `app.py`, in as many processes as gunicorn is told to have."""

import signal
import sys

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from api.asgi import Front
from api.server import CONFIG, Server, room_for_connections


class Worker(UvicornWorker):  # type: ignore[misc] # it tells no types
    """Serves the WSGI application that gunicorn was given."""

    CONFIG_KWARGS = CONFIG

    front: Front
    """Of that application; gunicorn.conf.py makes it."""

    def init_signals(self) -> None:
        """As uvicorn has them while it serves. What comes after that ends nothing: gunicorn waits for the hook that
        stops the clock."""
        super().init_signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    async def _serve(self) -> None:
        server = Server(self.config, self.front, room_for_connections())
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
