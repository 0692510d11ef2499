import json

import pytest
from dash import dcc, html, no_update

from layouts import markup
from layouts.markup import Markup
from tests.hostile import NAMES
from tests.layouts.reading import drawn, links_in, text_of

DIGEST = 18  # characters


def table(*names: str, title: str = "Names") -> list[html.Div]:
    return [html.H2(title), html.Ul([html.Li(name, key=name) for name in names])]


def sent(children: object, known: object) -> list[object]:
    """The rows sent to a browser that has `known`, without the root that holds them."""
    content = markup.update(children, known)
    assert isinstance(content, dict)
    root = content["known"][-1]
    return [row for digest, row in content["rows"].items() if digest != root]


def known_of(*names: str) -> list[str]:
    known: list[str] = Markup(table(*names)).known
    return known


def test_components_become_elements_with_their_properties():
    button = html.Button(["Mute", html.Span(" it", className="quiet")], disabled=True, **{"data-act": "mute"})

    content = markup.content([button, None, 7])

    (digest,) = content["known"]
    assert len(digest) == DIGEST
    assert content["rows"][digest] == [
        "",
        {},
        ["button", {"disabled": True, "data-act": "mute"}, "Mute", ["span", {"className": "quiet"}, " it"]],
        None,
        "7",
    ]


def test_a_link_leads_to_another_page_without_loading_it():
    content = markup.content(dcc.Link("BTC/USD", href="/metric/1", className="strong"))

    (row,) = content["rows"].values()
    assert row[2] == ["a", {"href": "/metric/1", "className": "strong", "data-link": ""}, "BTC/USD"]


def test_components_of_dash_itself_are_refused():
    with pytest.raises(TypeError, match="a Store cannot be drawn as markup"):
        Markup(html.Div(dcc.Store(id="x")))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_always_escaped(name: str):
    content = json.loads(json.dumps(markup.content(html.Td(name))))

    (row,) = content["rows"].values()
    assert row[2] == ["td", {}, name]


def test_a_browser_that_has_all_rows_is_sent_nothing():
    assert markup.update(table("a", "b"), known_of("a", "b")) is no_update
    assert Markup(table("a", "b")).content["known"] == known_of("a", "b")


def test_a_browser_is_sent_the_rows_that_it_lacks():
    assert sent(table("a", "b", "c"), known_of("b", "a")) == [["li", {"key": "c"}, "c"]]
    assert sent(table("a"), known_of("a", "b")) == []
    assert sent(table("a", title="Others"), known_of("a")) == []


@pytest.mark.parametrize("known", [None, [], "x", 7, [None, 1, ["x"]], {"a": 1}])
def test_a_browser_with_an_invalid_list_of_rows_is_sent_all(known: object):
    assert sent(table("a", "b"), known) == [["li", {"key": "a"}, "a"], ["li", {"key": "b"}, "b"]]


def test_a_row_in_many_places_is_sent_once():
    menu = html.Ul(html.Li("For 1 h"), key="menu")

    content = markup.content([html.Div([html.P(name), menu], key=name) for name in ("a", "b")])

    assert len(content["rows"]) == len(content["known"]) == 4
    assert text_of(drawn(content)) == "a|For 1 h|b|For 1 h"


def test_an_inner_row_is_not_sent_again_when_the_outer_one_changes():
    def page(title: str) -> html.Div:
        return html.Section([title, html.Ul(html.Li("same", key="inner"))], key="outer")

    assert sent(page("new"), Markup(page("old")).known) == [
        ["section", {"key": "outer"}, "new", ["ul", {}, {"row": Markup(page("old")).known[0]}]]
    ]


def test_the_content_of_a_page_includes_its_markup():
    page = html.Div(Markup([html.P("all"), dcc.Link("there", href="/status")]))

    assert text_of(page) == "all|there"
    assert links_in(page) == ["/status"]


def test_different_values_have_different_digests():
    assert markup.digest_of([1, None]) != markup.digest_of([1, "None"])
    assert markup.digest_of({"a": [1.5]}) == markup.digest_of({"a": [1.5]})
