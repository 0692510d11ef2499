"""Functions are short and have few parameters."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_LINES = 80
MAX_PARAMETERS = 6

SIGNATURES_OF_DASH = {"callbacks/alert_history.py:act", "callbacks/alert_history.py:follow"}
"""Callbacks of Dash, which takes a parameter for each input and state."""


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of the program with its `path:name`, including nested ones and methods."""
    files = [ROOT / "app.py"]
    for package in ("api", "callbacks", "layouts", "services"):
        files += sorted((ROOT / package).rglob("*.py"))
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file.relative_to(ROOT).as_posix()}:{node.name}", node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names of all parameters but `self` and `cls`."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_no_function_exceeds_the_maximum_length() -> None:
    lengths = {name: (one.end_lineno or one.lineno) - one.lineno + 1 for name, one in functions()}

    assert len(lengths) > 1000
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_function_exceeds_the_maximum_number_of_parameters() -> None:
    counts = {name: len(parameters(one)) for name, one in functions()}

    assert {name for name, count in counts.items() if count > MAX_PARAMETERS} == SIGNATURES_OF_DASH


def test_parameters_of_every_kind_are_counted() -> None:
    (function,) = ast.parse("def f(self, a, /, b, *c, d=1, **e): pass").body

    assert isinstance(function, ast.FunctionDef)
    assert parameters(function) == ["a", "b", "d"]
