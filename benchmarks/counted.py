"""The program's web side, counting what it asks of PostgreSQL: `benchmarks.counted:create_app()`.

Every worker appends a letter for each statement to the file that COUNTED_INTO names.
"""

import os
from typing import Any

from flask import Flask
from sqlalchemy import event

import app

BEGIN, POLL, OTHER = b"b", b"p", b"o"
"""A reading transaction begins; the revision alone is asked for; anything else is."""


def create_app() -> Flask:
    """What `app:server` is."""
    file = os.open(os.environ["COUNTED_INTO"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.split()
        if words[0] == "SET":
            os.write(file, BEGIN)
        else:
            os.write(file, POLL if words == ["SELECT", "snapshot.revision", "FROM", "snapshot"] else OTHER)

    event.listen(app.process_services().engine, "before_cursor_execute", count)
    server: Flask = app.server
    return server
