"""The check for refused words."""

from scripts.words import LIST, read_list, refused

IN_NAMES, IN_TEXTS = read_list(LIST.read_text())


def found(path: str, source: str) -> list[tuple[int, str]]:
    return [(one.line, one.word) for one in refused(path, source, IN_NAMES, IN_TEXTS)]


def test_a_refused_word_is_found_in_names_comments_and_texts_of_python() -> None:
    source = 'def kept_of(value):\n    """What was\n    told of it."""\n    MOST_ROWS = 1  # the desk\n'

    assert found("a.py", source) == [(1, "kept_of"), (3, "told"), (4, "MOST_ROWS"), (4, "desk")]


def test_column_names_and_words_refused_only_in_identifiers_are_permitted() -> None:
    assert found("a.py", 'row["told_volume"] = 1  # is kept for the past day\n@pytest.mark.slow\n') == []


def test_javascript_is_checked() -> None:
    assert found("a.js", '// was told\nconst keptRows = "no verdict yet"; // `x`\n') == [
        (1, "told"),
        (2, "keptRows"),
        (2, "verdict"),
    ]


def test_of_a_markdown_page_only_the_prose_is_checked() -> None:
    assert found("a.md", "Is told `told`.\n\n    told\n\n[desk](desk.md)\n") == [(1, "told"), (5, "desk")]


def test_each_refused_word_has_a_replacement() -> None:
    assert all(IN_NAMES.values())
    assert set(IN_TEXTS) < set(IN_NAMES)
