"""`make release`: its checks of the tree, and the commands that it prints, in a temporary repository."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from scripts.release import announcement, main, problems, sections

pytestmark = pytest.mark.processes

CHANGELOG = """\
# Changelog

## Unreleased

## 1.1.0 - 2026-11-28

### Added

- Candles.

## 1.0.0 - 2026-11-24

- The beginning.
"""


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


@pytest.fixture(autouse=True)
def _own_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """No git settings of this machine, nor of a hook in which the tests may run."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the released version 1.0.0 that can release 1.1.0."""
    git(tmp_path, "init", "--initial-branch", "main")
    write(tmp_path, CHANGELOG)
    git(tmp_path, "tag", "v1.0.0")
    return tmp_path


def write(root: Path, changelog: str) -> None:
    (root / "CHANGELOG.md").write_text(changelog)
    git(root, "add", "--all")
    git(root, "commit", "--message", "Write the changelog")


def test_a_release_prints_its_commands_and_notes_and_changes_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = git(repository, "show-ref")

    assert main(repository, "1.1.0") == 0

    assert capsys.readouterr().out == (
        "Data Tracker 1.1.0 (2026-11-28) can be released. Nothing has been changed yet. These commands release it:\n"
        "\n"
        '    git tag --annotate v1.1.0 --message "Data Tracker 1.1.0"\n'
        "    git push origin main v1.1.0\n"
        "\n"
        "Its release notes:\n"
        "\n"
        "### Added\n"
        "\n"
        "- Candles.\n"
    )
    assert git(repository, "show-ref") == before
    assert git(repository, "status", "--porcelain") == ""


def test_the_first_command_creates_the_tag_that_prevents_a_second_release(repository: Path) -> None:
    (command,) = [line for line in announcement(CHANGELOG, "1.1.0").splitlines() if line.startswith("    git tag")]
    subprocess.run(shlex.split(command), cwd=repository, check=True)

    assert problems(repository, "1.1.0") == ["The tag v1.1.0 exists: raise VERSION in services/bootstrap.py."]


def test_all_problems_are_reported_together(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(repository, "switch", "--create", "idea")
    (repository / "forgotten.py").touch()

    assert main(repository, "1.2.0") == 1

    assert capsys.readouterr().err.splitlines() == [
        "Data Tracker 1.2.0 cannot be released yet:",
        "  - There are uncommitted changes: commit or remove them.",
        "  - Releases are made from main, but idea is checked out.",
        "  - CHANGELOG.md: there is no section '## 1.2.0 - YYYY-MM-DD'.",
    ]


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("1.1", "VERSION in services/bootstrap.py is '1.1', which is not of the form 1.2.3."),
        ("0.9.9", "VERSION in services/bootstrap.py is 0.9.9, but 1.0.0 has been released."),
        ("1.0.0", "The tag v1.0.0 exists: raise VERSION in services/bootstrap.py."),
    ],
)
def test_a_version_has_three_numbers_and_is_newer_than_all_released_ones(
    repository: Path, version: str, problem: str
) -> None:
    assert problem in problems(repository, version)


def test_versions_are_compared_by_number(repository: Path) -> None:
    git(repository, "tag", "v1.0.10")
    write(repository, CHANGELOG.replace("1.1.0", "1.0.9"))

    assert problems(repository, "1.0.9") == ["VERSION in services/bootstrap.py is 1.0.9, but 1.0.10 has been released."]


@pytest.mark.parametrize(
    ("changelog", "problem"),
    [
        (
            CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- Something new.\n"),
            "CHANGELOG.md: move what is under 'Unreleased' to the section of 1.1.0.",
        ),
        (CHANGELOG.replace("## Unreleased\n", ""), "CHANGELOG.md: the first section has to be 'Unreleased'."),
        ("# Changelog\n", "CHANGELOG.md: the first section has to be 'Unreleased'."),
        (CHANGELOG.replace(" - 2026-11-28", ""), "CHANGELOG.md: the section of 1.1.0 needs a date and entries."),
        (
            CHANGELOG.replace("### Added\n\n- Candles.\n", ""),
            "CHANGELOG.md: the section of 1.1.0 needs a date and entries.",
        ),
        (
            CHANGELOG.replace("## 1.1.0", "## 1.2.0 - 2026-11-29\n\n- More.\n\n## 1.1.0"),
            "CHANGELOG.md: the section of 1.1.0 has to come right after 'Unreleased'.",
        ),
    ],
)
def test_the_changelog_must_be_complete(repository: Path, changelog: str, problem: str) -> None:
    write(repository, changelog)

    assert problem in problems(repository, "1.1.0")


def test_a_changelog_is_read_section_by_section() -> None:
    assert [(one.name, one.date, one.text) for one in sections(CHANGELOG)] == [
        ("Unreleased", None, ""),
        ("1.1.0", "2026-11-28", "### Added\n\n- Candles."),
        ("1.0.0", "2026-11-24", "- The beginning."),
    ]
