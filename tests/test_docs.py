"""What the README says that a test can check."""

import re
import subprocess
import sys
from pathlib import Path

import flask
import pytest

from api.bodies import hours_body, metric_body
from api.deliveries import mount_deliveries
from api.routes import mount
from api.rules import mount_rules
from services.settings import SEED, Settings
from tests import builders
from tests.fakes import FakeDeliveries, FakeDesk, FakeReader

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def table(heading: str) -> dict[str, list[str]]:
    """The first table under a heading: the other cells of each row by its first one, code marks removed."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in section.splitlines() if line.startswith("|")]
    return {row[0].strip("`"): [cell.strip("`") for cell in row[1:]] for row in rows[2:]}


def test_the_settings_table_names_every_setting_and_no_other() -> None:
    assert set(table("Settings")) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(set(table("Settings")) - {"TRACK", "DATABASE_URL"}))
def test_the_settings_table_tells_the_default(name: str) -> None:
    default = Settings.model_fields[name.lower()].default
    told = table("Settings")[name][0]

    assert told == ("unset" if default in (None, ()) else str(default))


def test_the_default_of_track_is_as_told() -> None:
    assert table("Settings")["TRACK"][0] == "ten pairs against USD on kraken"
    assert len(SEED.split(",")) == 10
    assert all(re.fullmatch(r"kraken:[A-Z]+/USD", pattern) for pattern in SEED.split(","))


def test_the_two_commands_stand_alone_at_the_top_and_exist() -> None:
    top = README.partition("\n## ")[0]
    makefile = (ROOT / "Makefile").read_text()

    for command in ("run", "test"):
        assert f"\n\n    make {command}\n\n" in top
    for target in re.findall(r"(?:^    |`)make ([a-z]+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile, target
    assert "exec make test" in (ROOT / ".ci/run").read_text()


def test_every_part_of_the_program_is_told() -> None:
    told = re.search(r"python app\.py .*\[([a-z|]+)\]", README)
    asked = subprocess.run([sys.executable, "app.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told is not None
    assert "{" + told[1].replace("|", ",") + "}" in asked.stdout


def test_every_route_of_the_interface_is_told() -> None:
    server = flask.Flask(__name__)
    mount(server, FakeReader(), lambda: builders.NOON, FakeDesk())
    mount_deliveries(server, FakeDeliveries(), lambda: builders.NOON)
    mount_rules(server, FakeReader(), lambda: builders.NOON, FakeDesk())
    served = {
        f"{method} {re.sub('<(wanted|int.*:number)>', '<id>', rule.rule)}"
        for rule in server.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static" and not rule.rule.endswith("/") and "<path:" not in rule.rule
    }

    assert set(table("API")) == served


def test_every_field_of_a_metric_is_told() -> None:
    told = re.search(r"A metric: `([a-z0-9_\s]+)`", README)

    assert told is not None
    assert told[1].split() == list(metric_body(builders.ranked_metric()))


def test_every_field_of_an_hour_is_told() -> None:
    told = re.search(r"object an hour or five minutes: `\{([^}]+)\}`", README)
    (hour,) = hours_body(builders.hours([(1.0, 2.0, 0.5, 1.5)]))["prices"]  # type: ignore[attr-defined]

    assert told is not None
    assert re.findall(r'"(\w+)"', told[1]) == list(hour)


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:api|layouts|callbacks|assets|services|tests|docs)/[\w./-]*)`", README)

    assert len(named) > 8
    for path in [*named, *re.findall(r"\]\((docs/[\w.]+)\)", README)]:
        assert (ROOT / path).exists(), path


def test_every_command_that_is_named_exists_and_tells_how_it_is_used() -> None:
    named = set(re.findall(r"python -m (services\.[\w.]+)", README))

    assert named == {f"services.store.{name}" for name in ("backup", "export", "transfer")}
    for name in named:
        done = subprocess.run([sys.executable, "-m", name, "--help"], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), name
        assert done.stdout.startswith(f"usage: python -m {name} "), name
