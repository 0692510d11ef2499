"""The committed OpenAPI description; `python -m tests.api.described` renews it."""

import json
from pathlib import Path

from flask import Flask

from api.routes import mount
from services.bootstrap import VERSION
from tests import builders
from tests.fakes import FakeReader, fake_dependencies

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def whole_interface() -> Flask:
    """A server with all routes and nothing else."""
    server = Flask(__name__, static_folder=None)
    mount(server, fake_dependencies(FakeReader(builders.profile(version=VERSION))))
    return server


def described() -> str:
    """The generated description, as text to commit."""
    document = whole_interface().test_client().get("/openapi.json").json
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(described(), encoding="utf-8")
