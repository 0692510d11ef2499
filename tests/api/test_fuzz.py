"""Schemathesis sends valid and invalid requests by `/openapi.json` to the program over a real database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.soak]

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(7200)
def test_every_response_conforms_to_the_description(address: str, tmp_path: Path, soak: bool) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests/api/schemathesis.toml")]
    command += ["run", f"{address}/openapi.json", "--checks", "all"]
    command += ["--max-examples", "1000" if soak else "25", "--seed", "1", "--no-color"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.api.fuzz_hooks", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
