"""`make release`: checks that a release is possible and prints its commands. Changes nothing."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from services.bootstrap import VERSION

ROOT = Path(__file__).parents[1]
BRANCH = "main"
UNRELEASED = "Unreleased"

_HEADING = re.compile(r"^## (?P<name>\S+)(?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Section:
    """One version's part of CHANGELOG.md: its name or `Unreleased`, its date as YYYY-MM-DD, and its text."""

    name: str
    date: str | None
    text: str


def sections(changelog: str) -> list[Section]:
    """The sections of a changelog in the format of keepachangelog.com, from top to bottom."""
    headings = list(_HEADING.finditer(changelog))
    ends = [*(heading.start() for heading in headings), len(changelog)][1:]
    return [
        Section(heading["name"], heading["date"], changelog[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
    ]


def problems(root: Path, version: str) -> list[str]:
    """The obstacles to releasing `version` from the Git repository at `root`, one per line."""
    found = []
    if _git(root, "status", "--porcelain"):
        found.append("There are uncommitted changes: commit or remove them.")
    branch = _git(root, "branch", "--show-current")
    if branch != BRANCH:
        found.append(f"Releases are made from {BRANCH}, but {branch or 'no branch'} is checked out.")
    if _VERSION.fullmatch(version) is None:
        return [*found, f"VERSION in services/bootstrap.py is {version!r}, which is not of the form 1.2.3."]
    tags = _git(root, "tag", "--list", "v*").split()
    released = [number for tag in tags if (number := _number(tag.removeprefix("v"))) is not None]
    if f"v{version}" in tags:
        found.append(f"The tag v{version} exists: raise VERSION in services/bootstrap.py.")
    elif released and _parts(version) < max(released):
        newest = ".".join(map(str, max(released)))
        found.append(f"VERSION in services/bootstrap.py is {version}, but {newest} has been released.")
    return found + _changelog_problems((root / "CHANGELOG.md").read_text("utf-8"), version)


def _changelog_problems(changelog: str, version: str) -> list[str]:
    found = []
    unreleased, *released = sections(changelog) or [Section("", None, "")]
    if unreleased.name != UNRELEASED:
        found.append(f"CHANGELOG.md: the first section has to be {UNRELEASED!r}.")
    elif unreleased.text:
        found.append(f"CHANGELOG.md: move what is under {UNRELEASED!r} to the section of {version}.")
    section = next((one for one in released if one.name == version), None)
    if section is None:
        found.append(f"CHANGELOG.md: there is no section '## {version} - YYYY-MM-DD'.")
    elif section.date is None or not section.text:
        found.append(f"CHANGELOG.md: the section of {version} needs a date and entries.")
    elif section is not released[0]:
        found.append(f"CHANGELOG.md: the section of {version} has to come right after {UNRELEASED!r}.")
    return found


def announcement(changelog: str, version: str) -> str:
    """The commands that release `version`, and its release notes."""
    section = next(one for one in sections(changelog) if one.name == version)
    return f"""\
Data Tracker {version} ({section.date}) can be released. Nothing has been changed yet. These commands release it:

    git tag --annotate v{version} --message "Data Tracker {version}"
    git push origin {BRANCH} v{version}

Its release notes:

{section.text}"""


def main(root: Path = ROOT, version: str = VERSION) -> int:
    """Print the release's commands, or its obstacles. Returns 1 if there are any."""
    found = problems(root, version)
    if found:
        print(f"Data Tracker {version} cannot be released yet:", *found, sep="\n  - ", file=sys.stderr)
        return 1
    print(announcement((root / "CHANGELOG.md").read_text("utf-8"), version))
    return 0


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _number(text: str) -> tuple[int, ...] | None:
    return _parts(text) if _VERSION.fullmatch(text) else None


if __name__ == "__main__":
    sys.exit(main())
