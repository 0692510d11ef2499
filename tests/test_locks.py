"""The locks: complete for every Python and platform that the program is for, and pinned down to each file."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements", "requirements-dev")

PYTHONS = ("3.11.0", "3.11.14", "3.12.0", "3.12.12", "3.13.0", "3.13.9")
PLATFORMS = (
    ("linux", "Linux", "posix", "x86_64"),
    ("linux", "Linux", "posix", "aarch64"),
    ("darwin", "Darwin", "posix", "arm64"),
    ("win32", "Windows", "nt", "AMD64"),
)


def requirements(path: str) -> Iterator[Requirement]:
    """The requirements that a file names, without their hashes and comments."""
    for line in (ROOT / path).read_text().splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            yield Requirement(line.partition(" #")[0].rstrip(" \\"))


def wanted(name: str) -> list[Requirement]:
    """What the .in files ask for, of which the second takes in the first."""
    found = list(requirements(f"{name}.in"))
    return found if name == "requirements" else [*found, *requirements("requirements.in")]


def environment(python: str, platform: tuple[str, str, str, str]) -> dict[str, str]:
    """What markers are about; without an extra."""
    sys_platform, system, os_name, machine = platform
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": sys_platform,
    }


def applies(requirement: Requirement, place: Mapping[str, str], extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**place, "extra": extra})


def version_of(pin: Requirement) -> str:
    (version,) = pin.specifier
    return version.version


def needs(pin: Requirement) -> list[Requirement]:
    """What a package says that it needs. Nothing where another version, or none, is installed here: `make lock`
    resolves each lock for each platform, and asks those too."""
    try:
        found = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError:
        return []
    return [Requirement(text) for text in found.requires or ()] if found.version == version_of(pin) else []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_all_that_is_needed_on_every_python_and_platform(lock: str) -> None:
    pins = list(requirements(f"{lock}.txt"))
    looked_into = 0
    for python, platform in product(PYTHONS, PLATFORMS):
        place = environment(python, platform)
        locked = {canonicalize_name(pin.name): pin for pin in pins if applies(pin, place)}
        assert len(locked) == sum(applies(pin, place) for pin in pins), "one version each"
        waiting = [("the .in files", requirement) for requirement in wanted(lock) if applies(requirement, place)]
        seen: set[tuple[str, str]] = set()
        while waiting:
            who, requirement = waiting.pop()
            name = canonicalize_name(requirement.name)
            where = f"{requirement}, wanted by {who} on Python {python}, {platform[1]} {platform[3]}"
            assert name in locked, where
            pin = locked[name]
            assert requirement.specifier.contains(version_of(pin), prereleases=True), f"{where}: {pin}"
            assert requirement.extras <= pin.extras, f"{where}: an installer that resolves would look for a newer one"
            for extra in {"", *requirement.extras}:
                if (name, extra) not in seen:
                    seen.add((name, extra))
                    waiting += [(str(pin), need) for need in needs(pin) if applies(need, place, extra)]
        looked_into += len(seen)
    assert looked_into > len(PYTHONS) * len(PLATFORMS) * 60


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-uv"])
def test_every_package_is_pinned_with_the_hashes_of_its_files_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / f"{lock}.txt").read_text()

    for block in re.split(r"\n(?=\S)", text.partition("make lock\n")[2].rstrip()):
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+", block), block[:80]
        assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block)) >= 1, block[:80]
    assert not re.search(r"https?://|--(extra-)?index|--find-links|file:", text)


def test_what_the_in_files_pin_is_what_is_locked() -> None:
    for lock in LOCKS:
        pinned = {str(pin.specifier) + canonicalize_name(pin.name) for pin in requirements(f"{lock}.txt")}
        assert {str(pin.specifier) + canonicalize_name(pin.name) for pin in wanted(lock)} <= pinned


def test_the_locks_agree() -> None:
    run, dev, uv = (
        {(canonicalize_name(pin.name), version_of(pin)) for pin in requirements(f"{lock}.txt")}
        for lock in (*LOCKS, "requirements-uv")
    )
    names = {name for name, _ in run}

    assert run == {(name, version) for name, version in dev if name in names}
    assert [name for name, _ in uv] == ["uv"]
    assert uv <= dev


def test_npm_packages_are_locked_with_hashes_and_name_no_registry() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    for path, package in locked.items():
        assert "resolved" not in package, path
        assert path == "" or package["integrity"].startswith("sha512-"), path
