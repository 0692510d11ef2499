"""The form in which a rule is written: its fields, what is wrong with them, and the sentence that they come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import alerting, ids, parts, rule_replay
from layouts.rule_draft import (
    ALL,
    NOBODY,
    SOME,
    Draft,
    complaints,
    given_by,
    kinds_for,
    shown,
)
from services.market.alerting import rule_text
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import MAX_NAME_LENGTH, QUANTITIES, WINDOWS, AlertRule
from services.market.ranking import RankedMetric

Options = list[dict[str, Any]]

KINDS = {
    "average": "is far from its average",
    "change": "changes within a time",
    "level": "crosses a level",
    "top": "enters the top",
    "no_data": "stops coming",
}
WAYS = (("up", "Up"), ("down", "Down"), ("either", "Either way"))
RANK_WAYS = (("up", "Gets worse"), ("down", "Gets better"), ("either", "Either way"))
PENDING = (0, 60, 300, 900, 1_800, 3_600)
COOLDOWNS = (0, 300, 900, 3_600, 14_400, 43_200, 86_400, 604_800)
TOLD = ((ALL, "All channels"), (SOME, "Only some"), (NOBODY, "Nobody; only show it here"))

UNFINISHED = "What it does is said here as soon as all fields are filled in."
NOT_FOUND = "Names nothing that is tracked now; what comes later is watched then."


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """What a draft comes to: a rule, or what is still wrong by field."""

    rule: AlertRule | None
    wrong: Mapping[str, str]


def check_draft(draft: Draft, number: int = -1, *, enabled: bool = True) -> CheckedDraft:
    """Ask the engine what it makes of the form."""
    given = given_by(draft, enabled=enabled)
    wrong = complaints(given)
    return CheckedDraft(None if wrong else parse_rule(given, number), wrong)


def body(draft: Draft, edited: int | None, metrics: Sequence[RankedMetric], channels: Sequence[str]) -> list[Component]:
    """The form over `draft`, for a new rule or the one whose number is `edited`."""
    checked = check_draft(draft)
    return [
        dcc.Store(id=ids.RULE_EDITED, data=edited),
        dcc.Store(id=ids.RULE_INSISTED, data=False),
        html.Div(
            [
                html.Div(_fields(draft, checked, metrics, channels), className="rule-fields"),
                _summary(checked, edited, metrics),
            ],
            className="rule-form",
        ),
        rule_replay.card(),
    ]


def gone() -> list[Component]:
    """For the number of a rule that is not there."""
    way = dcc.Link("Go to the rules", href=alerting.address(alerting.RULES), className="button")
    return [parts.empty("search", "There is no such rule", [html.P("Somebody may have deleted it."), way])]


def sentence(checked: CheckedDraft) -> str:
    """What the rule will do, in words."""
    return UNFINISHED if checked.rule is None else rule_text.sentence(checked.rule)


def reach(checked: CheckedDraft, metrics: Iterable[RankedMetric]) -> str:
    """How many metrics the rule would watch now."""
    if checked.rule is None:
        return ""
    rule = checked.rule
    count = sum(watches(rule, row) for row in metrics)
    return f"It watches {count:,} metric{'s' * (count != 1)} now." if count else NOT_FOUND


def watches(rule: AlertRule, row: RankedMetric) -> bool:
    """Whether the metric is in the rule's scope."""
    return any(one.market == row.market and one.matches(row.pair) for one in rule.scope)


def row_class(name: str, visible: bool, is_wrong: bool) -> str:
    """How a field looks."""
    return " ".join(["field", f"field-{name}"] + ["is-hidden"] * (not visible) + ["has-error"] * is_wrong)


def rows(draft: Draft, wrong: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """How each of the fields `names` looks."""
    visible = shown(draft)
    return [row_class(name, name in visible, name in wrong) for name in names]


def shown_errors(draft: Draft, wrong: Mapping[str, str], *, insisted: bool) -> dict[str, str]:
    """What is said of wrong fields: of empty ones only to somebody who wants to go on with them."""
    return {name: text for name, text in wrong.items() if insisted or draft.get(name)}


def kind_options(quantity: object) -> Options:
    """The conditions that a quantity can meet."""
    return [{"value": kind, "label": KINDS[kind]} for kind in kinds_for(quantity)]


def way_options(quantity: object) -> Options:
    """The directions in which it can move; a larger rank is a worse one."""
    return [{"value": value, "label": label} for value, label in (RANK_WAYS if quantity == "rank" else WAYS)]


def test_results(results: Sequence[tuple[str, str | None]]) -> list[Component]:
    """What came of a test, by channel; None where it was accepted."""
    if not results:
        return [html.Span("No channel is chosen.", className="quiet")]
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


def refusal(text: Iterable[str]) -> list[Component]:
    """Why it was not saved, beside the button."""
    return [html.P(one, className="error-text") for one in text]


def _fields(
    draft: Draft, checked: CheckedDraft, metrics: Sequence[RankedMetric], channels: Sequence[str]
) -> list[Component]:
    visible = shown(draft)
    wrong = shown_errors(draft, checked.wrong, insisted=False)

    def field(name: str, label: str, control: Component, hint: str | None = None) -> Component:
        return _field(name, label, control, hint, name in visible, wrong.get(name))

    def text(name: str, label: str, hint: str | None = None, **more: Any) -> Component:
        box = dbc.Input(id=ids.rule_field(name), type="text", value=draft[name], autocomplete="off", **more)
        return field(name, label, box, hint)

    def number(name: str, label: str, hint: str | None = None) -> Component:
        return text(name, label, hint, inputmode="decimal")

    def choice(name: str, label: str, options: Options, hint: str | None = None) -> Component:
        return field(name, label, dbc.Select(id=ids.rule_field(name), options=options, value=draft[name]), hint)

    def segments(name: str, label: str, options: Options) -> Component:
        radio = dbc.RadioItems(
            id=ids.rule_field(name),
            options=options,
            value=draft[name],
            className="segments",
            inputClassName="btn-check",
            labelClassName="segment",
        )
        return _group(name, label, radio, name in visible)

    quantities = [{"value": name, "label": rule_text.NOUNS[name].capitalize()} for name in QUANTITIES]
    return [
        parts.card(
            "What is watched",
            [
                text("name", "Name", "What messages call it.", maxlength=MAX_NAME_LENGTH, placeholder="Pumps"),
                text(
                    "scope",
                    "Markets and pairs",
                    "As exchange:BASE/QUOTE, separated by commas; * and ? match.",
                    placeholder="kraken:*/USD, okx:BTC/*",
                    list=ids.RULE_SCOPES,
                ),
                html.Datalist([html.Option(value=one) for one in _suggestions(metrics)], id=ids.RULE_SCOPES),
            ],
        ),
        parts.card(
            "When it alerts",
            [
                choice("quantity", "The", quantities),
                choice("kind", "does this", kind_options(draft["quantity"])),
                segments(
                    "side", "Which side", [{"value": one, "label": one.capitalize()} for one in ("above", "below")]
                ),
                segments("way", "Which way", way_options(draft["quantity"])),
                number("factor", "Times its average"),
                number("percent", "By more than, %"),
                number("level", "Level", "In the quote currency for prices."),
                number("places", "Places", "10 for the top 10."),
                number("periods", "Periods without a price"),
                choice(
                    "window",
                    "Within the last",
                    [{"value": str(seconds), "label": label} for seconds, label in WINDOWS.items()],
                ),
                number("min_samples", "Values it needs at least", "An average of fewer is not trusted."),
            ],
            className="rule-condition",
        ),
        parts.card(
            "How often",
            [
                choice(
                    "pending", "Fires once that has held for", _spans(PENDING, draft["pending"], "no time: at once")
                ),
                choice("cooldown", "Then rests for", _spans(COOLDOWNS, draft["cooldown"], "no time: every time")),
                number("hysteresis", "Ends when undone by, %", "Keeps what hovers around the threshold from flapping."),
            ],
            className="rule-pace",
        ),
        parts.card("Who is told", _channels(draft, visible, wrong, channels)),
    ]


def _channels(draft: Draft, visible: frozenset[str], wrong: Mapping[str, str], known: Sequence[str]) -> list[Component]:
    radio = dbc.RadioItems(
        id=ids.rule_field("told"), options=[{"value": one, "label": text} for one, text in TOLD], value=draft["told"]
    )
    lost = [name for name in draft["channels"] if name not in known]
    options = [{"value": name, "label": name} for name in known]
    options += [{"value": name, "label": f"{name} (not set up any more)"} for name in lost]
    boxes = dbc.Checklist(id=ids.rule_field("channels"), options=options, value=draft["channels"])
    if known:
        test: Component = html.Div(
            [
                html.Button("Send a test", id=ids.RULE_TEST, className="small-button", type="button"),
                html.Div(id=ids.RULE_TEST_RESULT, role="status", className="rule-test-result"),
            ],
            className="rule-test",
        )
    else:
        test = html.P(["No channel is set up; name some in ", html.Code("NOTIFY_URLS"), "."], className="quiet hint")
    ended = dbc.Checkbox(id=ids.rule_field("ended"), label="Also when an alert ends", value=draft["ended"])
    return [
        _group("told", "Tell", radio, True),
        _group("channels", "Channels", boxes, "channels" in visible, wrong.get("channels")),
        _group("ended", "How much", ended, "ended" in visible),
        test,
    ]


def _summary(checked: CheckedDraft, edited: int | None, metrics: Sequence[RankedMetric]) -> Component:
    text = html.Div(
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
    title = "A new rule" if edited is None else "The rule"
    refused = html.Div(id=ids.RULE_REFUSED, role="alert")
    return parts.card(title, [text, buttons, refused], className="rule-summary")


def _field(name: str, label: str, control: Component, hint: str | None, visible: bool, error: str | None) -> Component:
    note = [] if hint is None else [html.Span(hint, className="hint")]
    return html.Div(
        [html.Label([html.Span(label, className="field-label"), control]), *note, _error(name, error)],
        id=ids.rule_row(name),
        className=row_class(name, visible, error is not None),
    )


def _group(name: str, label: str, control: Component, visible: bool, error: str | None = None) -> Component:
    """A field of several boxes, which a legend names together."""
    return html.Fieldset(
        [html.Legend(label, className="field-label"), control, _error(name, error)],
        id=ids.rule_row(name),
        className=row_class(name, visible, error is not None),
    )


def _error(name: str, error: str | None) -> Component:
    return html.Span(error, id=ids.rule_error(name), className="error-text", **parts.aria(live="polite"))


def _spans(offered: Sequence[int], chosen: str, none: str) -> Options:
    """Lengths of time to choose from; one that somebody set otherwise is kept."""
    lengths = sorted({*offered, int(chosen)})
    return [{"value": str(one), "label": rule_text.span_text(one) if one else none} for one in lengths]


def _suggestions(metrics: Iterable[RankedMetric]) -> list[str]:
    """Families of pairs that are tracked: of each market, all and by quote."""
    families: dict[str, None] = {}
    for row in metrics:
        families[f"{row.market}:*/*"] = None
        families[f"{row.market}:*/{row.quote}"] = None
    return sorted(families)
