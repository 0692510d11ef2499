"""Texts from outside, brought to a form that is safe to show, log and store."""


def one_line(text: str, most: int) -> str:
    """At most `most` characters of `text` in one line, each a visible one.

    What turns the direction of writing, moves a terminal's cursor or ends a text early becomes a space.
    """
    visible = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(visible.split())[:most]
