"""The files that hosts read: they agree with each other, with the settings and with the program."""

import json
import re
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from services.settings import Settings, read_settings
from tests import deployments
from tests.deployments import ROOT, procfile, substituted

SETTINGS = {name.upper() for name in Settings.model_fields}
PROGRAM = ("migrate", "web", "clock", "worker")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return deployments.compose()


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> DockerfileParser:
    return deployments.dockerfile()


def instructions(dockerfile: DockerfileParser, name: str) -> list[str]:
    return [line["value"] for line in dockerfile.structure if line["instruction"] == name]


def test_the_image_is_of_a_pinned_base_for_a_user_without_rights(dockerfile: DockerfileParser) -> None:
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", dockerfile.baseimage)
    (user,) = instructions(dockerfile, "USER")
    assert user not in ("root", "0")
    names = [line["instruction"] for line in dockerfile.structure]
    assert names.index("USER") < names.index("CMD")
    assert any(f" {user}" in command for command in instructions(dockerfile, "RUN") if "useradd" in command)


def test_the_image_has_the_run_requirements_alone_and_a_health_check(dockerfile: DockerfileParser) -> None:
    assert "requirements-dev" not in dockerfile.content
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "/healthz" in command[2]


def test_the_image_serves_where_it_is_asked_whether_it_lives(dockerfile: DockerfileParser) -> None:
    """A host that names another PORT is served there, and the check asks there."""
    assert (dockerfile.envs["HOST"], dockerfile.envs["PORT"]) == ("0.0.0.0", "8888")
    assert dockerfile.cmd == '["gunicorn", "app:server"]'  # gunicorn.conf.py binds to HOST and PORT
    assert 'os.environ["PORT"]' in json.loads(instructions(dockerfile, "HEALTHCHECK")[0].partition("CMD")[2])[2]


def test_all_that_the_program_consists_of_goes_into_the_image() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"  # what is not named stays out
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert taken == packages | {
        "LICENSE",
        "app.py",
        "gunicorn.conf.py",
        "requirements.txt",
        "requirements-uv.txt",
        "assets",
        "migrations",
    }
    assert all((ROOT / name).exists() for name in taken)


def test_images_are_pinned_and_nothing_is_open_to_the_world(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "build" in service or re.search(r":\d+\.\d+", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "privileged" not in service
        assert "user" not in service, "the image's own, which is not root"


def test_every_service_that_lasts_has_a_health_check(
    services: dict[str, dict[str, Any]], dockerfile: DockerfileParser
) -> None:
    images_own = {"web"}  # what serves is asked as the image says
    assert instructions(dockerfile, "HEALTHCHECK")
    for name in services.keys() - images_own - {"migrate"}:
        assert services[name]["healthcheck"]["test"], name
    assert services["migrate"]["restart"] == "no"


def test_nothing_starts_before_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    for name in ("web", "clock", "worker"):
        needs = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert needs == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_environment_is_made_of_settings_that_work(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name in PROGRAM:
        environment = services[name]["environment"]
        assert environment.keys() <= SETTINGS
        for setting, value in environment.items():
            monkeypatch.setenv(setting, substituted(value, POSTGRES_PASSWORD="secret"))
        settings = read_settings(None)
        assert settings.database == "postgresql://tracker:secret@postgres:5432/tracker"
        assert settings.credentials is None
    assert services["web"]["environment"]["SCHEDULER"] == "off"


def test_without_a_password_compose_says_so(services: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(KeyError, match="POSTGRES_PASSWORD"):
        substituted(services["postgres"]["environment"]["POSTGRES_PASSWORD"])


def test_compose_runs_what_the_procfile_does(services: dict[str, dict[str, Any]]) -> None:
    lines = procfile()
    assert lines.keys() == {"release", "web", "clock", "dispatch", "worker"}
    assert services["migrate"]["command"] == lines["release"]
    assert services["clock"]["command"] == lines["dispatch"]
    assert services["worker"]["command"] == lines["worker"]
    web = services["web"]["command"]
    assert (web[0], web[-1]) == (lines["web"][0], lines["web"][-1])


def test_the_host_button_names_settings_and_processes_that_exist() -> None:
    told = deployments.host_button()

    assert told["env"].keys() <= SETTINGS
    assert told["formation"].keys() <= procfile().keys()
    values = {name: entry["value"] for name, entry in told["env"].items() if "value" in entry}
    assert read_settings(None, **{name.lower(): value for name, value in values.items()}, auth_password="x").track
    assert values["PROXY_HOPS"] == "1"  # else all visitors share the router's address, and its wrong passwords
    assert [addon["as"] for addon in told["addons"]] == ["DATABASE"]  # which makes DATABASE_URL


def test_a_host_that_looks_what_was_pushed_sees_a_python_program_and_no_node_one() -> None:
    """A package.json at the top makes Heroku build for Node.js, unless it is left out before."""
    left_out = set((ROOT / ".slugignore").read_text().split())

    assert "/package.json" in left_out
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    needed = packages | {"app.py", "gunicorn.conf.py", "requirements.txt", ".python-version", "Procfile", "app.json"}
    assert not left_out & {f"/{name}" for name in needed | {"assets", "migrations"}}
    assert json.loads((ROOT / "app.json").read_text())["buildpacks"] == [{"url": "heroku/python"}]


def test_the_python_of_the_host_is_that_of_the_image(dockerfile: DockerfileParser) -> None:
    version = (ROOT / ".python-version").read_text().strip()
    assert re.fullmatch(r"3\.\d+", version)  # the host adds the newest patch
    assert dockerfile.baseimage.startswith(f"python:{version}.")


def test_the_image_installs_exactly_what_is_locked_by_an_installer_that_is_itself_locked(
    dockerfile: DockerfileParser,
) -> None:
    installs = [line for line in instructions(dockerfile, "RUN") if "requirements" in line]
    copied = next(line for line in instructions(dockerfile, "COPY") if "requirements" in line)

    assert len(installs) == 1
    bring, sync = (step.split() for step in installs[0].split(" && ")[:2])
    assert bring[:2] == ["pip", "install"]
    assert {"--no-deps", "--require-hashes"} <= set(bring)
    assert sync[:3] == ["uv", "pip", "sync"]
    assert {"--require-hashes", "--compile-bytecode"} <= set(sync)
    assert [bring[-1], sync[-1]] == ["requirements-uv.txt", "requirements.txt"]
    assert set(copied.split()) == {"requirements-uv.txt", "requirements.txt", "./"}
