"""Install exactly the packages of a lock into `.venv`: `python3 scripts/install.py requirements.txt`.

uv installs them without resolving: the uv on the PATH, else one that is fetched into `.venv` from PyPI. Any Python may
run this file, so it is written for old ones too; for `.venv` it chooses a version that the locks support.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OWN_UV = VENV / "bin" / "uv"
UV_LOCK = ROOT / "requirements-uv.txt"

STAMP = VENV / ".installed"
"""Written last: a `.venv` without it is incomplete, or was made by another program."""

LOCKS = {
    "requirements.txt": ("requirements.txt", "requirements-dev.txt"),
    "requirements-dev.txt": ("requirements-dev.txt",),
}
"""Each lock, and the locks that satisfy it: the longer one contains the shorter one."""

VERSIONS = ("3.13", "3.12", "3.11")
"""The Python versions that the locks support."""

MIN_UV = (0, 5)

UV_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "https_proxy"),
}
"""Settings of pip, and uv's variables of the same meaning; the first is set if none is."""

OMITTED = re.compile(r"(Using|Checked|Audited|Prepared|Installed|Uninstalled)\b| +Downloaded\b| +[-+~] ")
"""Lines of uv that report no progress, or a single package."""


class SetupFailed(Exception):
    """The text says what the user can do about it."""


def main(arguments: Sequence[str]) -> int:
    """Install the named lock. Returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in LOCKS:
        print("usage: install.py {}".format("|".join(LOCKS)), file=sys.stderr)
        return 2
    try:
        install(arguments[0])
    except SetupFailed as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Set-up interrupted: the next run continues it", file=sys.stderr)
        return 130
    return 0


def install(lock: str) -> None:
    """Install `lock` into `.venv`, unless that is done already. Raises SetupFailed."""
    stamp = read_stamp()
    if stamp in [dict(environment_identity(), lock=digest(name)) for name in LOCKS[lock]]:
        return
    if dict(stamp, lock="") != dict(environment_identity(), lock=""):
        make_environment(stamp)
    sync(find_uv() or fetch_uv(), lock)


def read_stamp() -> Dict[str, str]:
    """What was installed last, and where; empty if that was interrupted."""
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def write_stamp(lock_digest: str) -> None:
    STAMP.write_text(json.dumps(dict(environment_identity(), lock=lock_digest)))


def environment_identity() -> Dict[str, str]:
    """Its Python and its place. An environment is unusable when either changes: its scripts contain its path, and its
    packages lie in a folder named after the Python's version."""
    return {"python": os.path.realpath(str(PYTHON)) if PYTHON.exists() else "", "place": os.path.realpath(str(VENV))}


def digest(lock: str) -> str:
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def make_environment(stamp: Dict[str, str]) -> None:
    """Recreate `.venv` without packages. Raises SetupFailed."""
    python, version = choose_python()
    if not os.path.lexists(str(VENV)):
        why = ""
    elif stamp:
        why = ".venv was moved, or its Python changed or is gone: "
    else:
        why = ".venv is incomplete, or was made by another program: "
    say(f"Environment: {why}making .venv with Python {version}")
    run([python, "-m", "venv", "--clear", "--without-pip", str(VENV)], "cannot make .venv")
    write_stamp("")


def choose_python() -> Tuple[str, str]:
    """The path and version of a Python that the locks support. Raises SetupFailed."""
    for python in [sys.executable, *(shutil.which(f"python{version}") for version in VERSIONS)]:
        version = ask(python, "-c", "import platform; print(platform.python_version())")
        if version.rpartition(".")[0] in VERSIONS:
            return str(python), version
    raise SetupFailed(
        f"it needs Python {VERSIONS[-1]} to {VERSIONS[0]}, {sys.executable} is {sys.version.split()[0]} and no other is"
        f" on the PATH: install one, or name yours as in: make PYTHON=/path/to/python{VERSIONS[0]}"
    )


def find_uv() -> str:
    """The path of a uv that is new enough; empty without one."""
    for uv in (shutil.which("uv"), str(OWN_UV)):
        found = re.match(r"uv (\d+)\.(\d+)", ask(uv, "--version"))
        if found and (int(found.group(1)), int(found.group(2))) >= MIN_UV:
            return str(uv)
    return ""


def fetch_uv() -> str:
    """Install uv into `.venv`. Raises SetupFailed."""
    say("Packages: fetching uv, which installs the others")
    before = read_stamp()
    STAMP.unlink()
    if not ask(PYTHON, "-m", "pip", "--version"):
        no_pip = "this Python has no pip to fetch uv with; on Debian and Ubuntu: apt-get install python3-venv"
        run([PYTHON, "-m", "ensurepip"], no_pip)
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", UV_LOCK]
    run(command, "cannot fetch uv. Is the network reachable? If it needs a proxy, is HTTPS_PROXY set?")
    write_stamp(before["lock"])
    return str(OWN_UV)


def sync(uv: str, lock: str) -> None:
    """Let `uv` install the packages of `lock` and remove all others. Raises SetupFailed."""
    began, before, packages = time.time(), read_stamp(), installed_files()
    configured = pip_settings()
    environment = dict(uv_settings(configured), **os.environ)
    STAMP.unlink()
    command = [uv, "pip", "sync", "--python", str(PYTHON), "--require-hashes", str(ROOT / lock)]
    if configured.get("no-index", "").lower() in ("1", "on", "t", "true", "y", "yes"):
        command.append("--no-index")  # uv has no variable for it
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, universal_newlines=True)
    try:
        for line in process.stderr or ():
            report(line.rstrip(), lock)
    finally:
        process.terminate()  # it has already ended, unless this was interrupted
        process.wait()
        if installed_files() == packages:  # it failed before it changed anything
            write_stamp(before["lock"])
    if process.returncode:
        raise SetupFailed(
            "the packages are not installed; see uv's message above. Is the network reachable? If it needs a proxy, is"
            " HTTPS_PROXY set?"
        )
    write_stamp(digest(lock))
    say(f"Packages: ready after {time.time() - began:.0f} s")


def installed_files() -> Sequence[str]:
    """The contents of the folder of packages."""
    return sorted(str(path) for path in VENV.glob("lib/python*/site-packages/*"))


def report(line: str, lock: str) -> None:
    """Print uv's progress in a short line, and pass on its other messages."""
    resolved = re.match(r"Resolved (\d+) package", line)
    if resolved:
        say(f"Packages: installing {resolved.group(1)} from {lock}")
    elif line.lstrip().startswith("Downloading "):
        say(f"Packages: downloading {line.split(maxsplit=1)[1]}")
    elif not OMITTED.match(line):
        print(line, file=sys.stderr)


def uv_settings(configured: Dict[str, str]) -> Dict[str, str]:
    """pip's settings of indexes and network as uv's environment variables, for uv reads none of pip's."""
    settings = {
        names[0]: configured[name]
        for name, names in UV_NAMES.items()
        if name in configured and not os.environ.keys() & set(names)
    }
    if "UV_FIND_LINKS" in settings:
        settings["UV_FIND_LINKS"] = settings["UV_FIND_LINKS"].replace(" ", ",")
    # Like pip, take a version from any index that has it: the hashes prove that it is the right one.
    return dict(settings, UV_INDEX_STRATEGY="unsafe-best-match")


def pip_settings() -> Dict[str, str]:
    """pip's settings by name, from its files and the environment; without pip from the environment alone."""
    given = {key.lower().replace("_", "-"): value for key, value in os.environ.items()}
    found = {key[len("pip-") :]: value for key, value in given.items() if key.startswith("pip-")}
    listed = ask(sys.executable, "-m", "pip", "config", "list")
    for section in ("install", "global"):  # in this order of precedence, after the environment
        for name, value in re.findall(rf"^{section}\.([a-z-]+)=(.+)$", listed, re.MULTILINE):
            found.setdefault(name, str(ast.literal_eval(value)))
    return {name: " ".join(value.split()) for name, value in found.items()}


def ask(program: object, *arguments: str) -> str:
    """The output of a program; empty if it does not exist or fails."""
    if program is None:
        return ""
    try:
        answer = subprocess.run([str(program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return ""
    return "" if answer.returncode else answer.stdout.decode(errors="replace").strip()


def run(command: Sequence[object], otherwise: str) -> None:
    """Run a command silently. Raises SetupFailed with `otherwise` and the command's last line."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = done.stdout.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
        raise SetupFailed(f"{otherwise} ({last})")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
