"""The commands that the documentation names are ones that their programs take."""

import importlib
import re
import shlex
from collections.abc import Callable

import pytest

import app
from benchmarks.__main__ import _parser as benchmarks_parser
from scripts.pictures import main as take_pictures
from services.commands import tokens
from tests.docs.documents import PAGES, ROOT, everywhere, spans, tables, unmarked

MAKEFILE = (ROOT / "Makefile").read_text()

PARSERS: dict[str, Callable[[list[str]], object]] = {
    "app.py": lambda words: app._parser().parse_args(words),
    "app.py token": tokens.parse,
    "benchmarks": lambda words: benchmarks_parser().parse_args(words),
} | {
    f"app.py {name}": importlib.import_module(f"services.commands.{name}")._parser().parse_args
    for name in app.FILE_COMMANDS
}
ELSEWHERE = {"pip", "pytest", "venv"}
"""Modules that are not ours."""


def test_every_make_target_that_is_named_exists() -> None:
    named = {(target, page) for page, target in everywhere(r"^make ([a-z-]+)$")}

    assert len({target for target, _ in named}) >= 14
    assert [(target, page) for target, page in sorted(named) if f"\n{target}:" not in MAKEFILE] == []


def python_commands() -> list[tuple[str, list[str]]]:
    """Each command's program and its words."""
    found = []
    for _, rest in everywhere(r"^(?:\.venv\\Scripts\\)?python (.+)$"):
        words = shlex.split(rest)
        if " ".join(words[:2]) in PARSERS:
            found.append((" ".join(words[:2]), words[2:]))
        else:
            found.append((words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:]))
    return found


def test_every_python_command_is_one_that_its_program_takes() -> None:
    commands = python_commands()
    usage = [words for _, words in commands if any(re.search(r"^\[|\|", word) for word in words)]
    asked = [
        (program, words)
        for program, words in commands
        if program not in ELSEWHERE and words not in usage and (program, words) != ("app.py token", [])
    ]

    assert {program for program, _ in commands} == set(PARSERS) | ELSEWHERE
    assert len(usage) == 2
    assert len(asked) >= 12
    for program, words in asked:
        PARSERS[program](words)  # exits where it does not understand


def test_the_usage_of_the_program_names_its_parts() -> None:
    (usage,) = {line for page, line in everywhere(r"^python (app\.py \[.*\])$") if page == "docs/first-steps.md"}
    parts = next(action.choices for action in app._parser()._actions if action.dest == "part")
    (told,) = [table for table in tables("docs/first-steps.md") if table[0][0] == "part"]

    assert parts is not None
    assert usage.endswith(f"[{'|'.join(parts)}]")
    assert [unmarked(row[0]) for row in told[1:]] == list(parts)


def test_the_usage_of_the_export_names_its_options() -> None:
    usage = next(line for _, line in everywhere(r"app\.py export (FILE.*)"))
    parser = importlib.import_module("services.commands.export")._parser()
    options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}

    assert set(re.findall(r"--[a-z]+", usage)) == options - {"--help", "--force"}
    assert "--force" in spans(PAGES["docs/operations.md"])


def test_each_command_prints_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for name in app.FILE_COMMANDS:
        with pytest.raises(SystemExit) as ended:
            app.main([name, "--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: app.py {name} ")


def test_the_pictures_are_taken_by_the_script_that_make_calls(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        take_pictures(["--help"])

    assert capsys.readouterr().out.startswith("usage: python -m scripts.pictures ")
    assert "python -m scripts.pictures" in MAKEFILE
