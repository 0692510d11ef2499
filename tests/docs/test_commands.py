"""The commands in the documentation are accepted by their programs."""

import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest

import app
from benchmarks.__main__ import _parser as benchmarks_parser
from scripts.pictures import main as take_pictures
from services.commands import command_line, tokens
from tests.docs.documents import PAGES, ROOT, everywhere, spans, tables, unmarked

MAKEFILE = (ROOT / "Makefile").read_text()

PARSERS: dict[str, Callable[[list[str]], object]] = {
    "app.py": lambda arguments: command_line.parser().parse_args(arguments),
    "app.py token": tokens.parse,
    "benchmarks": lambda arguments: benchmarks_parser().parse_args(arguments),
} | {
    f"app.py {name}": importlib.import_module(f"services.commands.{name}")._parser().parse_args
    for name in command_line.FILE_COMMANDS
}
ELSEWHERE = {"pip", "pytest", "venv"}
"""Modules of others."""


def test_every_documented_make_target_exists() -> None:
    named = {(target, page) for page, target in everywhere(r"^make ([a-z-]+)$")}

    assert len({target for target, _ in named}) >= 14
    assert [(target, page) for target, page in sorted(named) if f"\n{target}:" not in MAKEFILE] == []


def python_commands() -> list[tuple[str, list[str]]]:
    """Each command's program and its arguments."""
    found = []
    for _, rest in everywhere(r"^(?:\.venv\\Scripts\\)?python (.+)$"):
        parts = shlex.split(rest)
        if " ".join(parts[:2]) in PARSERS:
            found.append((" ".join(parts[:2]), parts[2:]))
        else:
            found.append((parts[1], parts[2:]) if parts[0] == "-m" else (parts[0], parts[1:]))
    return found


def test_every_python_command_is_one_that_its_program_takes() -> None:
    commands = python_commands()
    usage = [arguments for _, arguments in commands if any(re.search(r"^\[|\|", one) for one in arguments)]
    complete = [
        (program, arguments)
        for program, arguments in commands
        if program not in ELSEWHERE and arguments not in usage and (program, arguments) != ("app.py token", [])
    ]

    assert {program for program, _ in commands} == set(PARSERS) | ELSEWHERE
    assert len(usage) == 2
    assert len(complete) >= 12
    for program, arguments in complete:
        PARSERS[program](arguments)  # exits if it does not accept them


def test_the_usage_of_the_program_names_its_parts() -> None:
    (usage,) = {line for page, line in everywhere(r"^python (app\.py \[.*\])$") if page == "docs/first-steps.md"}
    parts = next(action.choices for action in command_line.parser()._actions if action.dest == "part")
    (listed,) = [table for table in tables("docs/first-steps.md") if table[0][0] == "part"]

    assert parts is not None
    assert usage.endswith(f"[{'|'.join(parts)}]")
    assert [unmarked(row[0]) for row in listed[1:]] == list(parts)


def test_the_usage_of_the_export_names_its_options() -> None:
    usage = next(line for _, line in everywhere(r"app\.py export (FILE.*)"))
    parser = importlib.import_module("services.commands.export")._parser()
    options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}

    assert set(re.findall(r"--[a-z]+", usage)) == options - {"--help", "--force"}
    assert "--force" in spans(PAGES["docs/operations.md"])


def test_each_command_prints_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for name in command_line.FILE_COMMANDS:
        with pytest.raises(SystemExit) as ended:
            app.main([name, "--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: app.py {name} ")


@pytest.mark.parametrize("name", command_line.FILE_COMMANDS)
def test_a_module_command_of_earlier_versions_names_the_new_one_and_works(name: str) -> None:
    command = [sys.executable, "-m", f"services.store.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert done.stderr == f"python -m services.store.{name} is now python app.py {name}\n"
    assert done.stdout.startswith(f"usage: app.py {name} ")
    assert f"services.store.{name}" in spans(PAGES["docs/operations.md"])


def test_the_pictures_are_taken_by_the_script_that_make_calls(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        take_pictures(["--help"])

    assert capsys.readouterr().out.startswith("usage: python -m scripts.pictures ")
    assert "python -m scripts.pictures" in MAKEFILE
