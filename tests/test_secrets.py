"""No secret is in the tree. Invented secrets of tests are listed by file and digest."""

import json
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parents[1]
KNOWN = ROOT / "tests/known_secrets.json"
FOLDERS = (
    ".github",
    "api",
    "assets",
    "benchmarks",
    "callbacks",
    "docs",
    "layouts",
    "migrations",
    "scripts",
    "services",
    "tests",
    "types",
)
SKIPPED = ("vendor", "__pycache__")
BINARY = (".png", ".pyc")


def files() -> list[Path]:
    """The project's own files, at the top and in its folders."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name not in (".git", ".coverage", ".env")]
    within = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    hashed = (*(ROOT / name for name in ("requirements.txt", "requirements-dev.txt", "package-lock.json")), KNOWN)
    return [
        path
        for path in top + within
        if path not in hashed and path.suffix not in BINARY and not set(SKIPPED) & set(path.relative_to(ROOT).parts)
    ]


def found(paths: list[Path]) -> dict[str, list[str]]:
    """The digests of possible secrets in each file."""
    secrets = SecretsCollection(root=str(ROOT))
    with default_settings():
        for path in paths:
            secrets.scan_file(str(path.relative_to(ROOT)))
    return {name: sorted({secret.secret_hash for secret in secrets[name]}) for name in sorted(secrets.files)}


def test_the_tree_contains_no_unknown_secret() -> None:
    known = json.loads(KNOWN.read_text())
    new = {
        name: set(digests) - set(known.get(name, ()))
        for name, digests in found(files()).items()
        if set(digests) - set(known.get(name, ()))
    }
    assert new == {}, "if it is invented for a test: python -m tests.test_secrets"


def test_a_secret_is_found(tmp_path: Path) -> None:
    invented = "".join(("AKIA", "IOSFODNN7", "ABCDEFG"))
    (tmp_path / "settings.py").write_text(f'KEY = "{invented}"\npassword = "{invented[::-1]}"\n')
    secrets = SecretsCollection(root=str(tmp_path))
    with default_settings():
        secrets.scan_file("settings.py")
    assert {secret.type for _, secret in secrets} == {"AWS Access Key", "Secret Keyword"}


if __name__ == "__main__":
    KNOWN.write_text(json.dumps(found(files()), indent=1) + "\n")
