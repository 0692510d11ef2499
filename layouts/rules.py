"""The list of rules on the alerts page: what each does, its state, and its actions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from dash import dcc, html
from dash.development.base_component import Component

from layouts import alerting, ids, notation, parts
from layouts.markup import Markup
from layouts.mute_lengths import MUTE_LENGTHS
from layouts.rule_draft import TEMPLATES
from services.market.alerting.alerts import Mute
from services.market.alerting.rule_text import sentence
from services.market.alerting.rules import BUILT_IN, AlertRule

ON, OFF, DELETE, MUTE, UNMUTE = "on", "off", "delete", "mute", "unmute"
"""The actions of a rule's buttons."""

CHIPS = {"firing": "is-alert", "pending": "is-warning", "no data": "is-warning"}


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule with the number of its metrics by state, and its mute that lasts longest."""

    rule: AlertRule
    states: Mapping[str, int]
    mute: Mute | None = None

    @property
    def is_editable(self) -> bool:
        """False for the built-in rule."""
        return self.rule.id != BUILT_IN


def body(lines: Sequence[RuleLine], zone: tzinfo) -> list[Component]:
    """All rules, the built-in one first, and the templates of new ones."""
    return [_templates(), Markup(listed(lines, zone), id=ids.RULES_LIST)]


def listed(lines: Sequence[RuleLine], zone: tzinfo) -> list[Component]:
    """The rules; a hint if there is only the built-in one."""
    mutes = [_item(text, MUTE, length=length) for length, (text, _) in MUTE_LENGTHS.items()]
    panel = html.Div(mutes, className="menu-panel", key="mutes")  # equal for all rules, and so sent once
    rules = html.Ul([_line(line, panel, zone) for line in lines], className="rules panel")
    if any(line.is_editable for line in lines):
        return [rules]
    text = html.P(
        "A rule watches the metrics you name and alerts when its condition is met. Start with a template above."
    )
    return [rules, parts.card(None, parts.empty("bell", "No rules of your own yet", text))]


def _templates() -> Component:
    links = [
        dcc.Link(title, href=alerting.address(alerting.RULES, edit=alerting.NEW, template=name), className="chip-link")
        for name, (title, _) in TEMPLATES.items()
    ]
    return html.Div([html.Span("Templates", className="quiet"), *links], className="templates")


def _line(line: RuleLine, mutes: Component, zone: tzinfo) -> Component:
    rule = line.rule
    return html.Li(
        [
            _switch(rule) if line.is_editable else html.Span(className="switch-place"),
            html.Div(
                [
                    html.Div([html.H2(rule.name), *_chips(line, zone)], className="rule-title"),
                    html.P(sentence(rule), className="rule-sentence"),
                    html.P(_notifies(rule), className="rule-notifies"),
                ],
                className="rule-text",
            ),
            html.Div(_actions(line, mutes), className="rule-actions"),
        ],
        className="rule" if rule.enabled else "rule is-off",
        key=f"rule-{rule.id}",
        **parts.data(rule=rule.id),
    )


def _chips(line: RuleLine, zone: tzinfo) -> list[Component]:
    chips = [] if line.rule.enabled else [("Off", "")]
    chips += [(f"{count:,} {state}", CHIPS[state]) for state in CHIPS if (count := line.states.get(state, 0))]
    chips += [] if line.mute is None else [(_muted(line.mute, zone), "is-new")]
    return [html.Span(text, className=f"chip {look}".strip()) for text, look in chips]


def _muted(mute: Mute | None, zone: tzinfo) -> str:
    if mute is None:
        return ""
    return "Muted until it resolves" if mute.until is None else f"Muted until {notation.stamp(mute.until, zone)}"


def _notifies(rule: AlertRule) -> str:
    if rule.id == BUILT_IN:
        return "Set by the ALERT_* settings. Notifies all channels."
    if rule.channels is None:
        return "Notifies all channels."
    return f"Notifies {', '.join(rule.channels)}." if rule.channels else "Notifies nobody: shown here only."


def _switch(rule: AlertRule) -> Component:
    return html.Button(
        html.Span(className="switch-knob"),
        className="switch is-on" if rule.enabled else "switch",
        type="button",
        role="switch",
        title="Switch off" if rule.enabled else "Switch on",
        **parts.data(act=OFF if rule.enabled else ON),
        **parts.aria(label=f"{rule.name} is on", checked="true" if rule.enabled else "false"),
    )


def _actions(line: RuleLine, mutes: Component) -> list[Component]:
    mute = parts.button(["Unmute", _of(line.rule)], UNMUTE) if line.mute else _menu("Mute", line.rule, mutes)
    if not line.is_editable:
        return [mute]
    rule = line.rule
    edit = dcc.Link(["Edit", _of(rule)], href=alerting.address(alerting.RULES, edit=rule.id), className="small-button")
    again = alerting.address(alerting.RULES, edit=alerting.NEW, like=rule.id)
    copy = dcc.Link(["Duplicate", _of(rule)], href=again, className="small-button")
    return [mute, edit, copy, _delete_menu(rule)]


def _delete_menu(rule: AlertRule) -> Component:
    text = html.P("Its alerts stay on record. Those that are firing end.", className="menu-text")
    delete = _item(f"Delete “{rule.name}” for good", DELETE, "is-dangerous")
    return _menu("Delete", rule, html.Div([text, delete], className="menu-panel"))


def _menu(name: str, rule: AlertRule, panel: Component) -> Component:
    summary = html.Summary([name, _of(rule)], className="small-button")
    return html.Details([summary, panel], className="menu rule-menu")


def _item(text: str, action: str, look: str = "", **data: str) -> Component:
    return parts.button(text, action, className=f"menu-item {look}".strip(), **parts.data(**data))


def _of(rule: AlertRule) -> Component:
    return html.Span(f" {rule.name}", className="visually-hidden")
