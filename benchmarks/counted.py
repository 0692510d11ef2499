"""The web application with a count of its PostgreSQL statements: `benchmarks.counted:create_app()`.

Every worker appends one letter per statement to the file named by COUNTED_INTO.
"""

import os
from typing import Any

from flask import Flask
from sqlalchemy import event

import app

BEGIN, POLL, OTHER = b"b", b"p", b"o"
"""A read transaction begins; a query for the revision alone; any other statement."""


def create_app() -> Flask:
    """The same as `app:server`."""
    file = os.open(os.environ["COUNTED_INTO"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        tokens = statement.split()
        if tokens[0] == "SET":
            os.write(file, BEGIN)
        else:
            os.write(file, POLL if tokens == ["SELECT", "snapshot.revision", "FROM", "snapshot"] else OTHER)

    event.listen(app.process_services().engine, "before_cursor_execute", count)
    server: Flask = app.server
    return server
