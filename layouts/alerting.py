"""The frame of the alerts page: its parts as tabs, of which the address tells the chosen one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.paths import at

PATH = "/alerting"
HISTORY, RULES, DELIVERIES = "history", "rules", "deliveries"
TABS = {HISTORY: "History", RULES: "Rules", DELIVERIES: "Deliveries"}
NEW = "new"

MAX_ID_DIGITS = 18
"""Digits of the largest rule number worth asking for."""

LEAD = "What has fired, the rules that make it fire, and who was told."


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the page one is. In the rules, `edit` is the number of the rule that is open, NEW for one that is being
    written, which may begin as a copy (`like`), by a `template`, or with a `scope`."""

    tab: str = HISTORY
    edit: str | None = None
    like: int | None = None
    template: str = ""
    scope: str = ""

    @property
    def edited(self) -> int | None:
        """The number of the rule that is open, None where it is a new one."""
        return None if self.edit in (None, NEW) else _number_in(self.edit)


def place_of(search: object) -> Place:
    """Where an address leads; the history where it makes no sense."""
    asked = parse_qs(search.lstrip("?")) if isinstance(search, str) else {}
    told = {name: values[-1] for name, values in asked.items()}
    tab = told.get("tab", HISTORY)
    if tab not in TABS:
        return Place()
    if tab != RULES:
        return Place(tab)
    edit = told.get("edit")
    if edit != NEW and _number_in(edit) is None:
        return Place(RULES)
    return Place(RULES, edit, _number_in(told.get("like")), told.get("template", ""), told.get("scope", ""))


def search_for(tab: str, **more: object) -> str:
    """The query string that leads to a part of the page."""
    return "?" + urlencode({"tab": tab} | more, safe=":/*,")


def address(tab: str, **more: object) -> str:
    """The address of a part of the page."""
    return at(PATH) + search_for(tab, **more)


def page(place: Place, body: Sequence[Component]) -> Component:
    """The chosen part in its frame."""
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
    """The ways to the parts."""
    return [
        dcc.Link(name, href=address(tab), className="alerting-tab is-chosen" if tab == chosen else "alerting-tab")
        for tab, name in TABS.items()
    ]


def key(place: Place) -> list[Any]:
    """What tells one part from another; within one, the address is its own business."""
    return [place.tab, place.edit, place.like, place.template, place.scope]


def _number_in(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS
    return int(text) if is_number and text is not None else None
