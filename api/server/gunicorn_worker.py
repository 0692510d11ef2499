"""gunicorn's worker: the same server as that of `app.py`, in each of gunicorn's processes."""

import os
import signal
import sys
from functools import partial
from types import FrameType

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from api.server.asgi import WsgiBridge
from api.server.uvicorn_server import CONFIG, Server, room_for_connections

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def hold_stop_signals() -> None:
    """Have signals that stop a worker wait until its own handlers are installed; called once in the arbiter.

    A new worker has the arbiter's handlers, which swallow them: it would serve on until the graceful timeout.
    """
    arbiter = os.getpid()

    def mask(how: int) -> None:
        if os.getpid() == arbiter:
            signal.pthread_sigmask(how, STOP_SIGNALS)

    os.register_at_fork(before=partial(mask, signal.SIG_BLOCK), after_in_parent=partial(mask, signal.SIG_UNBLOCK))
    mask(signal.SIG_UNBLOCK)  # an arbiter that replaces another is its fork


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
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

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
