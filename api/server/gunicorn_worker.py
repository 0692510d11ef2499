"""gunicorn's worker: the same server as that of `app.py`, in as many processes as gunicorn is told to have."""

import signal
import sys
from types import FrameType

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from api.server.asgi import Front
from api.server.uvicorn_server import CONFIG, Server, room_for_connections


class Worker(UvicornWorker):  # type: ignore[misc] # it tells no types
    """Serves the WSGI application that gunicorn was given."""

    CONFIG_KWARGS = CONFIG

    front: Front
    """Of that application; gunicorn.conf.py makes it."""

    server: Server | None = None

    def init_signals(self) -> None:
        """Whenever the worker is told to stop, the server ends, also before it serves and has handlers of its own; and
        then the hook that stops the clock is called."""
        super().init_signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self.server is not None:
            self.server.should_exit = True

    async def _serve(self) -> None:
        self.server = Server(self.config, self.front, room_for_connections())
        self.server.should_exit = not self.alive
        self._install_sigquit_handler()
        await self.server.serve(sockets=self.sockets)
        if not self.server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
