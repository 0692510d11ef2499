"""The description of the interface as it is committed: `python -m tests.api.described` renews it."""

import json
from pathlib import Path

from flask import Flask

from api.routes import mount
from tests import builders
from tests.fakes import FakeDesk, FakeReader

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def described() -> str:
    """What the code says of itself, as text to commit."""
    server = Flask(__name__)
    mount(server, FakeReader(), lambda: builders.NOON, FakeDesk())
    document = server.test_client().get("/openapi.json").json
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(described(), encoding="utf-8")
