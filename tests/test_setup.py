"""The set-up: the packages that `make` and plain pip install, today and after newer releases.

Each test has a project of its own, with this project's Makefile and script, and with locks of a few invented packages.
It uses no network: packages come from a folder in the installers' find-links settings.
"""

import ast
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
BOOTSTRAP = ("uv", "pip", "setuptools", "wheel")


class Project:
    """A checkout that needs few packages, and the machine on which it is set up."""

    def __init__(self, folder: Path) -> None:
        self.root, self.releases, self.programs = folder / "project", folder / "releases", folder / "bin"
        for made in (self.root / "scripts", self.releases, self.programs):
            made.mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", self.root)
        shutil.copy(ROOT / "scripts" / "install.py", self.root / "scripts")
        (self.root / "app.py").write_text("print('the program runs')\n")
        for lock in ("requirements.txt", "requirements-dev.txt", "requirements-uv.txt"):
            (self.root / lock).write_text("")
        self.program("uv", f'exec {UV} "$@"')
        others = ("PIP_", "UV_", "VIRTUAL_", "MAKE", "MFLAGS")  # the last two come from the make that runs the tests
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        self.environment = inherited | {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "PYTHON": sys.executable,
            "HOME": str(folder),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.releases),
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_FIND_LINKS": str(self.releases),
            "UV_OFFLINE": "1",
        }

    def make(self, target: str = "run", **environment: str) -> "subprocess.CompletedProcess[str]":
        return self.run("make", target, **environment)

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=100,
        )

    def program(self, name: str, *lines: str) -> None:
        """Put a shell script onto the PATH, or replace it."""
        path = self.programs / name
        path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        path.chmod(0o755)

    def release(self, name: str, version: str, *requires: str, extras: tuple[str, ...] = (), script: str = "") -> str:
        """Publish a package; returns its line for a lock."""
        stem = f"{name.replace('-', '_')}-{version}"
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        metadata += [f"Provides-Extra: {extra}" for extra in extras]
        metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
        files = {
            f"{name.replace('-', '_')}.py": f"version = {version!r}\n",
            f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
            f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        if script:
            files[f"{stem}.data/scripts/{name}"] = script
        listed = [f"{path},sha256={_wheel_hash(text)},{len(text)}" for path, text in files.items()]
        files[f"{stem}.dist-info/RECORD"] = "\n".join([*listed, f"{stem}.dist-info/RECORD,,"]) + "\n"
        wheel = self.releases / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                entry = zipfile.ZipInfo(path)  # with a fixed date, so that the same content has the same hash
                entry.external_attr = 0o100755 << 16  # a regular, executable file
                archive.writestr(entry, text)
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"

    def lock(self, *lines: str, name: str = "requirements.txt") -> None:
        (self.root / name).write_text("".join(f"{line}\n" for line in lines))

    def installed(self) -> dict[str, str]:
        """The packages in `.venv` and their versions, without the installers."""
        found = [folder.name.split("-") for folder in self.root.glob(".venv/lib/python*/site-packages/*.dist-info")]
        versions = {stem: rest[0].removesuffix(".dist") for stem, *rest in found}
        return {name: version for name, version in versions.items() if name not in BOOTSTRAP}


def _wheel_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


LOCKED = {"coverage": "7.17.4", "pytest_cov": "7.1.0", "requests": "2.34.2", "urllib3": "2.8.0"}
LOCKED_FOR_TESTS = LOCKED | {"ruff": "0.17.6"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which one locked package needs an extra of another, and all have newer releases."""
    project = Project(tmp_path)
    lines = [
        project.release("coverage", "7.17.4", 'tomli; python_version < "3" and extra == "toml"', extras=("toml",)),
        project.release("pytest-cov", "7.1.0", "coverage[toml]>=7.10.6"),
        project.release("requests", "2.34.2", "urllib3>=1.26"),
        project.release("urllib3", "2.8.0"),
    ]
    project.lock(*lines)
    project.lock(*lines, project.release("ruff", "0.17.6"), name="requirements-dev.txt")
    project.release("coverage", "7.17.5", extras=("toml",))
    project.release("coverage", "99", extras=("toml",))
    project.release("pytest-cov", "99", "coverage[toml]>=99")
    project.release("requests", "99", "urllib3>=99")
    project.release("urllib3", "99")
    return project


def test_make_installs_the_locked_versions_despite_newer_releases(project) -> None:
    done = project.make()

    assert done.returncode == 0, done.stderr
    assert project.installed() == LOCKED
    checked = project.run(str(UV), "pip", "check", "--python", ".venv/bin/python")
    assert "All installed packages are compatible" in checked.stderr, checked.stderr


def test_the_documented_pip_commands_install_the_locked_versions(project) -> None:
    """With the pip of a new environment, which is as old as its Python."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")]
    lines = {line for page in pages for line in re.findall(r"-m (pip install .*requirements.*\.txt)", page.read_text())}
    assert lines
    for line in lines:
        project.run(sys.executable, "-m", "venv", "--clear", ".venv")

        done = project.run(".venv/bin/python", "-m", *line.split())

        assert done.returncode == 0, done.stderr
        assert project.installed() == (LOCKED_FOR_TESTS if "requirements-dev" in line else LOCKED)
        assert project.run(".venv/bin/python", "-m", "pip", "check").stdout == "No broken requirements found.\n"


def test_progress_is_shown_only_when_something_is_installed(project) -> None:
    first, second = project.make(), project.make()

    shown = [re.sub(r"3\.1\d\.\d+|(?<=after )\d+", "#", line) for line in first.stdout.splitlines()]
    assert shown == [
        "Environment: making .venv with Python #",
        "Packages: installing 4 from requirements.txt",
        "Packages: ready after # s",
        "Starting Data Tracker",
        "the program runs",
    ]
    assert second.stdout.splitlines() == shown[-2:]
    assert first.stderr == second.stderr == ""


def test_a_new_lock_installs_its_packages_and_removes_others(project) -> None:
    project.make()
    project.lock(project.release("requests", "3.0", "urllib3>=1.26"), project.release("urllib3", "2.8.0"))

    done = project.make()

    assert done.returncode == 0, done.stderr
    assert project.installed() == {"requests": "3.0", "urllib3": "2.8.0"}
    assert "Environment" not in done.stdout


def test_the_development_packages_include_those_of_the_program(project) -> None:
    assert project.make(".venv/.dev").returncode == 0

    assert "Packages" not in project.make().stdout
    assert project.installed() == LOCKED_FOR_TESTS


def interrupt_installation(project: Project) -> None:
    (project.root / ".venv" / ".installed").unlink()
    next(project.root.glob(".venv/lib/*/site-packages/requests-*/RECORD")).unlink()


def lose_python(project: Project) -> None:
    python = project.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")


def change_python(project: Project) -> None:
    """As when the system's Python is upgraded under the same name."""
    stamp = project.root / ".venv" / ".installed"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"python": "/usr/bin/python3.10"}))


def move(project: Project) -> None:
    project.root = project.root.rename(project.root.with_name("elsewhere"))


def take_another(project: Project) -> None:
    shutil.rmtree(project.root / ".venv")
    project.run(sys.executable, "-m", "venv", "--without-pip", ".venv")


@pytest.mark.parametrize("damage", [interrupt_installation, lose_python, change_python, move, take_another])
def test_a_damaged_environment_is_recreated(project, damage) -> None:
    project.make()
    damage(project)

    done = project.make()

    assert done.returncode == 0, done.stderr
    assert re.match(r"Environment: \.venv (was moved|is incomplete), or [\w' ]+: making \.venv with", done.stdout)
    assert project.installed() == LOCKED
    script = project.root / ".venv" / "bin" / "python"
    assert project.run(str(script), "-c", "import requests; print(requests.version)").stdout == "2.34.2\n"


def test_a_failed_download_leaves_the_environment_unchanged(project) -> None:
    project.make()
    works = (project.root / "requirements.txt").read_text()
    project.lock(f"requests==5.0 --hash=sha256:{'0' * 64}")

    failed = project.make()

    assert failed.returncode != 0
    assert "the program runs" not in failed.stdout
    shown = [line for line in failed.stderr.splitlines() if line.startswith("Set-up failed: ")]
    assert len(shown) == 1
    assert "HTTPS_PROXY" in shown[0]
    assert "requests==5.0" in failed.stderr, "uv's own reason"
    (project.root / "requirements.txt").write_text(works)
    assert "Environment" not in project.make().stdout
    assert project.installed() == LOCKED


def test_a_file_with_another_hash_is_not_installed(project) -> None:
    project.release("urllib3", "2.8.0", "something-else")

    done = project.make()

    assert done.returncode != 0
    assert "Set-up failed: " in done.stderr
    assert "the program runs" not in done.stdout


@pytest.mark.parametrize("on_path", ["uv 0.1.0", None], ids=["too old", "none"])
def test_uv_is_fetched_when_it_is_missing_or_too_old(project, on_path: str | None) -> None:
    if on_path is None:
        (project.programs / "uv").unlink()
    else:
        project.program("uv", f"echo {on_path}")
    project.lock(project.release("uv", "9.0", script=f'#!/bin/sh\nexec {UV} "$@"\n'), name="requirements-uv.txt")
    project.release("uv", "99")

    done = project.make()

    assert done.returncode == 0, done.stderr
    assert "Packages: fetching uv, which installs the others\n" in done.stdout
    assert len(list(project.root.glob(".venv/lib/*/site-packages/uv-9.0.dist-info"))) == 1
    assert project.installed() == LOCKED


def test_a_failed_download_of_uv_is_reported_in_one_line(project) -> None:
    (project.programs / "uv").unlink()
    project.lock(f"uv==9.0 --hash=sha256:{'0' * 64}", name="requirements-uv.txt")

    done = project.make()

    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("make: "))
    assert line.startswith("Set-up failed: cannot fetch uv. Is the network reachable")


def test_uv_uses_the_indexes_of_pips_configuration(project, tmp_path: Path) -> None:
    """A company's own index may be configured only in pip's configuration."""
    project.program(
        "uv",
        '[ "$1" = --version ] && echo uv 9.9.9 && exit',
        f'env -0 > "{tmp_path}/environment"; echo "$@" > "{tmp_path}/arguments"',
    )
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example/simple\nextra-index-url = https://b.example/one\n  https://b.example/two\n"
        "find-links = /srv/wheels\n  /srv/more\ntrusted-host = a.example\n[install]\nno-index = false\n"
    )
    settings = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "UV_FIND_LINKS": "/mine", "PIP_CERT": "/srv/ca.pem"}
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "SSL_CERT_FILE"):
        project.environment.pop(name, None)

    assert project.make(**settings).returncode == 0

    shown = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().split("\0") if line)
    assert shown["UV_DEFAULT_INDEX"] == "https://a.example/simple"
    assert shown["UV_INDEX"].split() == ["https://b.example/one", "https://b.example/two"]
    assert shown["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert shown["UV_FIND_LINKS"] == "/mine", "uv's own setting takes precedence"
    assert shown["UV_INSECURE_HOST"] == "a.example"
    assert shown["SSL_CERT_FILE"] == "/srv/ca.pem"
    assert "--no-index" not in (tmp_path / "arguments").read_text()


def require_versions(project: Project, versions: str) -> None:
    """Make the script look for these Pythons, as if the tests ran on one without locks."""
    script = project.root / "scripts" / "install.py"
    text = script.read_text()
    changed = text.replace('VERSIONS = ("3.13", "3.12", "3.11")', f"VERSIONS = {versions}")
    assert changed != text
    script.write_text(changed)


def test_an_unsupported_python_is_reported_in_one_line(project) -> None:
    require_versions(project, '("2.9", "2.8")')

    done = project.make()

    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("make: "))
    assert line.startswith(
        f"Set-up failed: it needs Python 2.8 to 2.9, {sys.executable} is {sys.version.split()[0]} and"
    )
    assert not (project.root / ".venv").exists()


def test_a_supported_python_is_found_on_the_path(project) -> None:
    require_versions(project, '("2.9",)')
    project.program("python2.9", '[ "$1" = -c ] && echo 2.9.1 && exit', f'exec {sys.executable} "$@"')

    done = project.make()

    assert done.returncode == 0, done.stderr
    assert "making .venv with Python 2.9.1" in done.stdout
    assert project.installed() == LOCKED


def test_an_unsupported_python_can_parse_the_script() -> None:
    source = (ROOT / "scripts" / "install.py").read_text()
    ast.parse(source, feature_version=(3, 7))
    (versions,) = (ast.literal_eval(found) for found in re.findall(r"^VERSIONS = (.*)$", source, re.MULTILINE))

    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, newest = versions[-1], versions[0]
    assert required == f">={oldest},<3.{int(newest.partition('.')[2]) + 1}"
    assert (ROOT / ".python-version").read_text().strip() in versions
