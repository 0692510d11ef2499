"""Data Tracker's front door: `python app.py` runs all of it, `app:server` is the WSGI application."""

from dash import Dash

import callbacks
from api.access import require_basic_auth
from api.routes import mount
from layouts import shell
from services.market.ports import Clock, MarketReader


def create_app(reader: MarketReader, clock: Clock, credentials: tuple[str, str] | None = None) -> Dash:
    """The dashboard and the JSON interface on one Flask server, all reading through `reader`.

    `clock` tells the time to whatever depends on it; `credentials` (user name, password) close the
    whole server but its health checks.
    """
    app = Dash(
        __name__,
        title="Data Tracker",
        update_title=None,
        index_string=shell.INDEX,
        suppress_callback_exceptions=True,
        serve_locally=True,
        enable_mcp=False,
    )
    if credentials is not None:
        require_basic_auth(app.server, *credentials)
    mount(app.server, reader, clock)
    app.layout = lambda: shell.page(reader.profile)
    callbacks.register(app, reader, clock)
    return app
