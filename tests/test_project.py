"""Guides, workflows, hooks and issue forms: the commands, targets, files and symbols in them exist."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release import sections
from services.bootstrap import VERSION

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*_*.yml"))
GUIDES = ("CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md")

MANIFESTS = {
    "pip": "requirements.in",
    "npm": "package.json",
    "github-actions": ".github/workflows",
    "docker": "Dockerfile",
    "docker-compose": "docker-compose.yml",
}
"""The file or folder that each of dependabot's ecosystems reads."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The file, with the key `on`, which YAML reads as true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {("on" if name is True else name): value for name, value in found.items()}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code(guide: str) -> list[str]:
    """The spans between backticks, and the lines of code blocks."""
    text = (ROOT / guide).read_text()
    return re.findall(r"`([^`]+)`", text) + [line.strip() for line in text.splitlines() if line.startswith("    ")]


def runs(workflow: Path) -> Iterator[str]:
    for job in read_yaml(workflow)["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


# ---- the version


def test_the_version_is_defined_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "services.bootstrap.VERSION"}
    for path in ("Dockerfile", "docker-compose.yml", "app.json", "README.md", "Makefile"):
        assert VERSION not in (ROOT / path).read_text(), path


def test_the_changelog_has_this_version_after_the_unreleased_changes() -> None:
    unreleased, newest, *_ = sections((ROOT / "CHANGELOG.md").read_text())

    assert (unreleased.name, newest.name) == ("Unreleased", VERSION)
    assert newest.date is not None


def test_every_change_is_under_a_heading_of_keep_a_changelog() -> None:
    for section in sections((ROOT / "CHANGELOG.md").read_text()):
        kinds = re.findall(r"^### (.+)$", section.text, re.MULTILINE)
        assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, section.name
        assert len(kinds) == len(set(kinds)), section.name
        assert section.text.startswith("### ") or not section.text, section.name


# ---- guides


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_in_a_guide_exists(guide: str) -> None:
    named = {
        text
        for text in code(guide)
        if re.fullmatch(r"[\w.-]+(/[\w.-]*)+|[\w.-]+\.(?:md|py|in|txt|toml|yml|json)", text)
    }
    linked = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / guide).read_text()))

    assert named
    for path in named | linked:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("guide", GUIDES)
def test_every_make_target_in_a_guide_exists(guide: str) -> None:
    named = {target for text in code(guide) for target in re.findall(r"^make ([a-z-]+)", text)}

    assert named
    assert named <= targets()


def test_every_symbol_in_a_recipe_is_in_the_stated_file() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"((?:`\w+`(?:, | and )?)+)\s+in\s+`([\w/.-]+\.\w+)`", text)

    assert len(named) > 30
    for symbols, path in named:
        for symbol in re.findall(r"\w+", symbols.replace(" and ", " ")):
            assert re.search(rf"\b{symbol}\b", (ROOT / path).read_text()), f"{symbol} in {path}"


# ---- pre-commit


def tool_of(hook: dict[str, Any]) -> str:
    """The path of the tool that a hook runs. npm's tools need Node.js on the PATH, so their hook sets it with `sh`."""
    command, *rest = shlex.split(hook["entry"])
    by_path = re.fullmatch(r"PATH=\.venv/bin:\$PATH (\w+) .*", rest[-1]) if command == "sh" else None
    return command if by_path is None else f".venv/bin/{by_path[1]}"


def test_every_hook_is_a_locked_tool_of_the_project() -> None:
    (repository,) = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]

    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        command = tool_of(hook)
        assert command.startswith(".venv/bin/"), hook["id"]
        assert (Path(sys.executable).parent / Path(command).name).exists(), hook["id"]


def test_the_hooks_are_the_tools_of_make_lint() -> None:
    (repository,) = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {Path(tool_of(hook)).name for hook in repository["hooks"]}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert lint is not None
    assert hooks == set(re.findall(r"\$\(BIN\)/([\w-]+)", lint[1].replace("$(NPM)", "$(BIN)/npm")))


def test_the_configuration_of_the_hooks_is_valid() -> None:
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config"], cwd=ROOT, check=True)


# ---- GitHub


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_read_permission_only_and_time_limits(workflow: Path) -> None:
    read = read_yaml(workflow)

    assert read["permissions"] == {"contents": "read"}
    for name, job in read["jobs"].items():
        assert "permissions" not in job, name
        assert job["timeout-minutes"] <= 60, name
        assert set(job.get("needs", ())) <= read["jobs"].keys(), name
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step["uses"]
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_the_workflow_runs_existing_targets_on_every_python_version() -> None:
    (workflow,) = WORKFLOWS
    jobs = read_yaml(workflow)["jobs"]
    called = {target for run in runs(workflow) for target in re.findall(r"\bmake ([a-z-]+)", run)}

    assert called == {"lint", "check", "coverage", "docs"}
    assert called <= targets()
    assert any(run.startswith("docker build ") for run in runs(workflow))
    for name in ("check", "test"):
        assert jobs[name]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_dependabot_reads_every_manifest() -> None:
    updates = read_yaml(GITHUB / "dependabot.yml")["updates"]

    assert {update["package-ecosystem"] for update in updates} == MANIFESTS.keys()
    for update in updates:
        path = ROOT / update["directory"].strip("/") / MANIFESTS[update["package-ecosystem"]]
        assert path.exists(), path


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_valid(form: Path) -> None:
    read = read_yaml(form)

    assert {"name", "description", "body"} <= read.keys()
    fields = [item for item in read["body"] if item["type"] != "markdown"]
    assert {item["type"] for item in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert len({item["id"] for item in fields}) == len(fields) > 0
    for item in fields:
        assert item["attributes"]["label"], item["id"]
        assert item["type"] != "dropdown" or len(set(item["attributes"]["options"])) > 1, item["id"]
    assert any(item.get("validations", {}).get("required") for item in fields)
