import pytest

from services.market.text import one_line
from tests import hostile


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain words", "plain words"),
        ("  two\n\tlines \r\n", "two lines"),
        ("x\x00y\x1b[2Jz", "x y [2Jz"),
        ("USD\u202etxt", "USD txt"),
        ("a\u2028b\u200bc\ufeffd", "a b c d"),
        ("Größe 币安 €", "Größe 币安 €"),
        ("abcdef", "abcde"),
    ],
)
def test_a_text_becomes_one_visible_line(text, line):
    assert one_line(text, 5 if text == "abcdef" else 100) == line


@pytest.mark.parametrize("text", hostile.NAMES)
def test_any_text_becomes_short_and_printable(text):
    line = one_line(text, 60)
    assert len(line) <= 60
    assert line.isprintable()
