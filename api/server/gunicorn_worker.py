"""gunicorn's worker: the same server as that of `app.py`, in each of gunicorn's processes."""

import signal
import sys
from types import FrameType

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from api.server.asgi import WsgiBridge
from api.server.uvicorn_server import CONFIG, Server, room_for_connections


class Worker(UvicornWorker):  # type: ignore[misc] # it has no types
    """Serves the WSGI application that gunicorn was given."""

    CONFIG_KWARGS = CONFIG

    bridge: WsgiBridge
    """Serves that application; gunicorn.conf.py sets it."""

    server: Server | None = None

    def init_signals(self) -> None:
        """SIGTERM and SIGINT end the server even before it serves and has handlers of its own; then gunicorn calls the
        hook that stops the clock."""
        super().init_signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self.server is not None:
            self.server.should_exit = True

    async def _serve(self) -> None:
        self.server = Server(self.config, self.bridge, room_for_connections())
        self.server.should_exit = not self.alive
        self._install_sigquit_handler()
        await self.server.serve(sockets=self.sockets)
        if not self.server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
