"""The form of a rule: its fields, the sentence that describes the rule, and the buttons."""

from collections.abc import Iterable, Mapping, Sequence

from dash import dcc, html
from dash.development.base_component import Component

from layouts import alerting, ids, parts, rule_fields, rule_replay
from layouts.rule_draft import Draft, visible_fields
from layouts.rule_validation import CheckedDraft, check_draft
from services.market.alerting import rule_text
from services.market.ranking import RankedMetric

INCOMPLETE = "Fill in all fields to see what the rule does."
NO_MATCH = "Matches no tracked metric now. Metrics that match later will be watched."


def body(draft: Draft, edited: int | None, metrics: Sequence[RankedMetric], channels: Sequence[str]) -> list[Component]:
    """The form with the values of `draft`, for the stored rule numbered `edited`, or a new one (None)."""
    checked = check_draft(draft)
    errors = shown_errors(draft, checked.errors, show_empty=False)
    return [
        dcc.Store(id=ids.RULE_EDITED, data=edited),
        dcc.Store(id=ids.RULE_SHOW_EMPTY, data=False),
        html.Div(
            [
                html.Div(rule_fields.cards(draft, errors, metrics, channels), className="rule-fields"),
                _summary(checked, edited, metrics),
            ],
            className="rule-form",
        ),
        rule_replay.card(),
    ]


def not_found() -> list[Component]:
    """The page for the number of a rule that does not exist."""
    link = dcc.Link("Go to the rules", href=alerting.address(alerting.RULES), className="button")
    return [parts.empty("search", "This rule does not exist", [html.P("It may have been deleted."), link])]


def sentence(checked: CheckedDraft) -> str:
    """What the rule does."""
    return INCOMPLETE if checked.rule is None else rule_text.sentence(checked.rule)


def reach(checked: CheckedDraft, metrics: Iterable[RankedMetric]) -> str:
    """How many metrics the rule would watch now."""
    if checked.rule is None:
        return ""
    rule = checked.rule
    count = sum(rule.watches(row) for row in metrics)
    return f"It watches {count:,} metric{'s' * (count != 1)} now." if count else NO_MATCH


def field_classes(draft: Draft, errors: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """The classes of each of the fields `names`."""
    visible = visible_fields(draft)
    return [rule_fields.field_class(name, visible=name in visible, has_error=name in errors) for name in names]


def shown_errors(draft: Draft, errors: Mapping[str, str], *, show_empty: bool) -> dict[str, str]:
    """The errors to show. Those of empty fields are shown only after an attempt to save (`show_empty`)."""
    return {name: text for name, text in errors.items() if show_empty or draft.get(name)}


def test_results(results: Sequence[tuple[str, str | None]]) -> list[Component]:
    """The result of a test message by channel: an error, or None if it was accepted."""
    if not results:
        return [html.Span("No channel is selected.", className="quiet")]
    return [
        html.Div(
            [
                html.Span(className="dot is-good" if error is None else "dot is-bad"),
                f"{name}: {'accepted' if error is None else error}",
            ],
            className="state",
        )
        for name, error in results
    ]


def refusal(reasons: Iterable[str]) -> list[Component]:
    """Why the rule was not saved."""
    return [html.P(reason, className="error-text") for reason in reasons]


def _summary(checked: CheckedDraft, edited: int | None, metrics: Sequence[RankedMetric]) -> Component:
    description = html.Div(
        [
            html.P(sentence(checked), id=ids.RULE_SENTENCE, className="rule-sentence is-large"),
            html.P(reach(checked, metrics), id=ids.RULE_REACH, className="quiet"),
        ],
        **parts.aria(live="polite"),
    )
    buttons = html.Div(
        [
            html.Button("Save", id=ids.RULE_SAVE, className="button", type="button"),
            dcc.Link("Cancel", href=alerting.address(alerting.RULES), className="small-button is-tall"),
        ],
        className="rule-buttons",
    )
    title = "New rule" if edited is None else "Edit rule"
    refused = html.Div(id=ids.RULE_REFUSED, role="alert")
    return parts.card(title, [description, buttons, refused], className="rule-summary")
