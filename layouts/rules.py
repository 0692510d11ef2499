"""The rules of the alerts page: what each does, how it stands, and what can be done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import alerting, ids, notation, parts, rule_words
from layouts.rule_draft import TEMPLATES
from services.market.alert_rules import BUILT_IN, AlertRule
from services.market.types import Mute

ON, OFF, DELETE, MUTE, UNMUTE = "on", "off", "delete", "mute", "unmute"

MUTES: Mapping[str, tuple[str, timedelta | None]] = {
    "1h": ("For 1 h", timedelta(hours=1)),
    "8h": ("For 8 h", timedelta(hours=8)),
    "24h": ("For 24 h", timedelta(hours=24)),
    "7d": ("For 7 days", timedelta(days=7)),
    "resolved": ("Until it resolves", None),
}
"""How long a rule may be muted; None is until what fires has ended."""

CHIPS = {"firing": "is-alert", "pending": "is-warning"}


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as it stands: how many of its metrics are in which state, and the mute of it that ends last."""

    rule: AlertRule
    states: Mapping[str, int]
    mute: Mute | None = None

    @property
    def is_own(self) -> bool:
        """Whether people wrote it, and may change it."""
        return self.rule.id != BUILT_IN


def body(lines: Sequence[RuleLine], zone: tzinfo) -> list[Component]:
    """All rules, the built-in one first, and ways to begin another."""
    return [
        dcc.Store(id=ids.RULES_CHANGED),
        dcc.Store(id=ids.RULES_SHOWN, data=shown(lines, zone)),
        _templates(),
        html.Div(listed(lines, zone), id=ids.RULES_LIST),
    ]


def shown(lines: Sequence[RuleLine], zone: tzinfo) -> list[list[Any]]:
    """What can change in the list: where it has not, the list stays, and with it what one points at."""
    return [
        [line.rule.id, line.rule.name, line.rule.enabled, rule_words.sentence(line.rule), _told(line.rule)]
        + [line.states.get(state, 0) for state in CHIPS]
        + [_muted(line.mute, zone)]
        for line in lines
    ]


def listed(lines: Sequence[RuleLine], zone: tzinfo) -> list[Component]:
    """The rules, and what to do where there are none but the built-in one."""
    rules = html.Ul([_line(line, zone) for line in lines], className="rules panel")
    if any(line.is_own for line in lines):
        return [rules]
    words = html.P("A rule watches whatever you name, and tells you once it happens. Begin with one of the above.")
    return [rules, parts.card(None, parts.empty("bell", "No rules of your own yet", words))]


def _templates() -> Component:
    links = [
        dcc.Link(title, href=alerting.address(alerting.RULES, edit=alerting.NEW, template=name), className="chip-link")
        for name, (title, _) in TEMPLATES.items()
    ]
    return html.Div([html.Span("Begin with", className="quiet"), *links], className="templates")


def _line(line: RuleLine, zone: tzinfo) -> Component:
    rule = line.rule
    return html.Li(
        [
            _switch(rule) if line.is_own else html.Span(className="switch-place"),
            html.Div(
                [
                    html.Div([html.H2(rule.name), *_chips(line, zone)], className="rule-title"),
                    html.P(rule_words.sentence(rule), className="rule-sentence"),
                    html.P(_told(rule), className="rule-told"),
                ],
                className="rule-words",
            ),
            html.Div(_actions(line), className="rule-actions"),
        ],
        className="rule" if rule.enabled else "rule is-off",
    )


def _chips(line: RuleLine, zone: tzinfo) -> list[Component]:
    chips = [] if line.rule.enabled else [("Off", "")]
    chips += [(f"{count:,} {state}", CHIPS[state]) for state in CHIPS if (count := line.states.get(state, 0))]
    chips += [] if line.mute is None else [(_muted(line.mute, zone), "is-new")]
    return [html.Span(words, className=f"chip {look}".strip()) for words, look in chips]


def _muted(mute: Mute | None, zone: tzinfo) -> str:
    if mute is None:
        return ""
    return "Muted until it resolves" if mute.until is None else f"Muted until {notation.stamp(mute.until, zone)}"


def _told(rule: AlertRule) -> str:
    if rule.id == BUILT_IN:
        return "Set by ALERT_FACTOR and the settings beside it. Tells all channels."
    if rule.channels is None:
        return "Tells all channels."
    return f"Tells {', '.join(rule.channels)}." if rule.channels else "Tells nobody; shown here only."


def _switch(rule: AlertRule) -> Component:
    return html.Button(
        html.Span(className="switch-knob"),
        id=ids.rule_action(OFF if rule.enabled else ON, rule.id),
        className="switch is-on" if rule.enabled else "switch",
        type="button",
        role="switch",
        title="Switch it off" if rule.enabled else "Switch it on",
        **parts.aria(label=f"{rule.name} is on", checked="true" if rule.enabled else "false"),
    )


def _actions(line: RuleLine) -> list[Component]:
    if not line.is_own:
        return [_mute_menu(line)]
    rule = line.rule
    edit = dcc.Link(["Edit", _of(rule)], href=alerting.address(alerting.RULES, edit=rule.id), className="small-button")
    again = alerting.address(alerting.RULES, edit=alerting.NEW, like=rule.id)
    copy = dcc.Link(["Duplicate", _of(rule)], href=again, className="small-button")
    return [_mute_menu(line), edit, copy, _delete_menu(rule)]


def _mute_menu(line: RuleLine) -> Component:
    rule = line.rule
    if line.mute is not None:
        return html.Button(
            ["Unmute", _of(rule)], id=ids.rule_action(UNMUTE, rule.id), className="small-button", type="button"
        )
    items = [
        dbc.DropdownMenuItem(words, id=ids.rule_action(f"{MUTE}-{name}", rule.id)) for name, (words, _) in MUTES.items()
    ]
    return _menu("Mute", rule, items)


def _delete_menu(rule: AlertRule) -> Component:
    words = "What it fired stays on record; what is firing ends."
    items = [
        html.Div(words, className="dropdown-header"),
        dbc.DropdownMenuItem(
            f"Delete “{rule.name}” for good", id=ids.rule_action(DELETE, rule.id), class_name="is-dangerous"
        ),
    ]
    return _menu("Delete", rule, items)


def _menu(name: str, rule: AlertRule, items: list[Component]) -> Component:
    menu: Component = dbc.DropdownMenu(
        items, label=[name, _of(rule)], align_end=True, class_name="rule-menu", toggle_class_name="small-button"
    )
    return menu


def _of(rule: AlertRule) -> Component:
    return html.Span(f" {rule.name}", className="visually-hidden")


def until(name: str, now: datetime) -> datetime | None:
    """When a mute of this name, asked for at `now`, ends; None for when what fires has ended. Raises KeyError."""
    length = MUTES[name][1]
    return None if length is None else now + length
