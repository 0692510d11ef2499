"""Parses the deployment files."""

import json
import re
import shlex
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[1]

_VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)((?P<how>:[-?])(?P<rest>[^${}]*))?\}")


def procfile() -> dict[str, list[str]]:
    """Each process's command, split into arguments."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: shlex.split(command) for name, _, command in (line.partition(":") for line in lines)}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def dockerfile() -> DockerfileParser:
    return DockerfileParser(fileobj=BytesIO((ROOT / "Dockerfile").read_bytes()))


def host_button() -> dict[str, Any]:
    """The contents of app.json, for Heroku's deploy button."""
    found: dict[str, Any] = json.loads((ROOT / "app.json").read_text())
    return found


def recipe(target: str) -> list[str]:
    """The commands that make runs for `target`, without make's prefixes."""
    rest = (ROOT / "Makefile").read_text().partition(f"\n{target}:")[2]
    return [line.strip().lstrip("@") for line in rest.partition("\n\n")[0].splitlines()[1:]]


def substituted(text: str, **given: str) -> str:
    """`text` with `${NAME:-default}` and `${NAME:?why}` replaced as Compose does, also nested. Raises KeyError for the
    latter without a value."""

    def fill(found: re.Match[str]) -> str:
        value = given.get(found["name"], "")
        if not value and found["how"] == ":?":
            raise KeyError(f"{found['name']}: {found['rest']}")
        return value or found["rest"] or ""

    while _VARIABLE.search(text):
        text = _VARIABLE.sub(fill, text)
    assert "${" not in text
    return text.replace("$$", "$")
