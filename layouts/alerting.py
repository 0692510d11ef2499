"""The frame of the alerts page: its tabs, and the addresses that lead to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.paths import at
from services.market.text import number_in

PATH = "/alerting"
HISTORY, RULES, DELIVERIES = "history", "rules", "deliveries"
TABS = {HISTORY: "History", RULES: "Rules", DELIVERIES: "Deliveries"}
NEW = "new"

LEAD = "Alerts that fired, the rules that fire them, and the delivery of their messages."


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the page. `edit` is the number of the rule that is open in the form, or NEW. A new rule may begin as a
    copy (`like`), from a `template`, or with a `scope`."""

    tab: str = HISTORY
    edit: str | None = None
    like: int | None = None
    template: str = ""
    scope: str = ""

    @property
    def edited(self) -> int | None:
        """The number of the rule that is open; None if it is a new one."""
        return None if self.edit in (None, NEW) else number_in(self.edit)


def place_of(search: object) -> Place:
    """The part of the page that a query string names; the history if it names none."""
    asked = parse_qs(search.lstrip("?")) if isinstance(search, str) else {}
    values = {name: given[-1] for name, given in asked.items()}
    tab = values.get("tab", HISTORY)
    if tab not in TABS:
        return Place()
    if tab != RULES:
        return Place(tab)
    edit = values.get("edit")
    if edit != NEW and number_in(edit) is None:
        return Place(RULES)
    return Place(RULES, edit, number_in(values.get("like")), values.get("template", ""), values.get("scope", ""))


def search_for(tab: str, **more: object) -> str:
    """The query string that leads to a part of the page."""
    return "?" + urlencode({"tab": tab} | more, safe=":/*,")


def address(tab: str, **more: object) -> str:
    """The address of a part of the page."""
    return at(PATH) + search_for(tab, **more)


def page(place: Place, body: Sequence[Component]) -> Component:
    """The page around `body`, the part that `place` names."""
    new = dcc.Link("New rule", href=address(RULES, edit=NEW), className="button")
    return html.Div(
        [
            dcc.Store(id=ids.ALERTING_SHOWN, data=key(place)),
            parts.heading("Alerts", LEAD, new),
            html.Nav(tabs(place.tab), id=ids.ALERTING_TABS, className="alerting-tabs", **parts.aria(label="Alerts")),
            html.Div(list(body), id=ids.ALERTING_BODY),
        ],
        className="alerts-page",
    )


def tabs(chosen: str) -> list[Component]:
    """The links to the parts."""
    return [
        dcc.Link(name, href=address(tab), className="alerting-tab is-chosen" if tab == chosen else "alerting-tab")
        for tab, name in TABS.items()
    ]


def key(place: Place) -> list[Any]:
    """The identity of a part of the page. Other parameters of the address belong to the part itself."""
    return [place.tab, place.edit, place.like, place.template, place.scope]
