"""`python -m scripts.words [FILE ...]`: refuse the words of `given_up_words.txt` in names, texts and documentation."""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIST = ROOT / "scripts" / "given_up_words.txt"

SOURCES = ("*.py", "assets/*.js", "tests/js/*.mjs", "*.md")
EXCEPT = re.compile(r"^(assets/vendor/|migrations/versions/|CHANGELOG\.md$|tests/test_words\.py$)")
"""Files of others, history (migrations and earlier releases), and the test of this check."""

_GIVEN_UP_PREFIX = re.compile(r"_?(MOST|LONGEST|LARGEST|LEAST|SMALLEST|SHORTEST|FEWEST)_[A-Z_]+")

_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_JS_TOKEN = re.compile(
    r"""(?P<text>//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?P<name>[A-Za-z_$][\w$]*)""",
    re.DOTALL,
)
_MARKDOWN_CODE = re.compile(r"```.*?```|`[^`\n]*`|^ {4}[^\n]*$|\]\([^)]*\)", re.DOTALL | re.MULTILINE)


class Found(NamedTuple):
    """A refused word, its place, and its replacements."""

    path: str
    line: int
    word: str
    instead: str


class Piece(NamedTuple):
    """A name or a text that begins in `line`."""

    line: int
    content: str
    is_name: bool


def read_list(content: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Replacements by refused word: of the words refused in names, and of those refused in texts too."""
    rows = [line.split(None, 2) for line in content.splitlines() if line and not line.startswith("#")]
    in_texts = {word: instead for where, word, instead in rows if where == "text"}
    return in_texts | {word: instead for where, word, instead in rows if where == "name"}, in_texts


def pieces_of_python(source: str) -> Iterator[Piece]:
    """Names and texts of Python. A string without a space is neither: it is a column, a field or a key."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and before != "pytest.":
            yield Piece(token.start[0], token.string, is_name=True)
        elif token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            yield Piece(token.start[0], token.string, is_name=False)
        before = f"{before}." if token.string == "." else token.string


def pieces_of_script(source: str) -> Iterator[Piece]:
    """Names and texts of JavaScript."""
    for match in _JS_TOKEN.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["name"] is not None:
            yield Piece(line, match["name"], is_name=True)
        elif " " in match["text"]:
            yield Piece(line, match["text"], is_name=False)


def pieces_of_page(source: str) -> Iterator[Piece]:
    """The prose of a Markdown page, without its code."""
    plain = _MARKDOWN_CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), source)
    for line, content in enumerate(plain.splitlines(), 1):
        yield Piece(line, content, is_name=False)


def refused(path: str, source: str, in_names: Mapping[str, str], in_texts: Mapping[str, str]) -> Iterator[Found]:
    """Every refused word of one file."""
    read = {".py": pieces_of_python, ".md": pieces_of_page}.get(Path(path).suffix, pieces_of_script)
    for piece in read(source):
        if piece.is_name:
            if _GIVEN_UP_PREFIX.fullmatch(piece.content):
                yield Found(path, piece.line, piece.content, "MAX_ or MIN_")
            for part in _NAME_PART.findall(piece.content):
                if part.lower() in in_names:
                    yield Found(path, piece.line, piece.content, in_names[part.lower()])
        else:
            for match in re.finditer(r"[A-Za-z]+", piece.content):
                if match[0].lower() in in_texts:
                    line = piece.line + piece.content.count("\n", 0, match.start())
                    yield Found(path, line, match[0], in_texts[match[0].lower()])


def main(arguments: Sequence[str]) -> int:
    """Print the refused words of these files, or of the whole repository. Returns the exit status."""
    listed = subprocess.run(["git", "ls-files", *SOURCES], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [path for path in arguments or listed.stdout.split() if not EXCEPT.match(path)]
    in_names, in_texts = read_list(LIST.read_text())
    found = [one for path in paths for one in refused(path, (ROOT / path).read_text(), in_names, in_texts)]
    for one in found:
        print(f"{one.path}:{one.line}: {one.word}: say {one.instead}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
