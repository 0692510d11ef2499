"""The fields of the rule form: their controls, labels and hints."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.rule_draft import ALL, NOBODY, SOME, Draft, kinds_for, visible_fields
from services.market.alerting.rule_text import NOUNS
from services.market.alerting.rules import MAX_NAME_LENGTH, QUANTITIES, WINDOWS
from services.market.ranking import RankedMetric
from services.market.times import DAY, HOUR, MINUTE, span_text

Options = list[dict[str, Any]]

KINDS = {
    "average": "Multiple of its average",
    "change": "Change within a window",
    "level": "Crosses a level",
    "top": "Enters the top",
    "no_data": "No data",
}
SIDES = (("above", "Above"), ("below", "Below"))
WAYS = (("up", "Up"), ("down", "Down"), ("either", "Either way"))
RANK_WAYS = (("up", "Gets worse"), ("down", "Gets better"), ("either", "Either way"))
"""A larger rank is a worse one."""
PENDING = (0, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR)
COOLDOWNS = (0, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 7 * DAY)
NOTIFY = ((ALL, "All channels"), (SOME, "Selected channels"), (NOBODY, "Nobody: show it here only"))


def cards(
    draft: Draft, errors: Mapping[str, str], metrics: Iterable[RankedMetric], channels: Sequence[str]
) -> list[Component]:
    """All fields in cards, with the values of `draft`. Fields that the rule does not have are hidden."""
    fields = _Fields(draft, errors)
    return [
        parts.card(
            "Scope",
            [
                fields.text(
                    "name", "Name", "How messages name the rule.", maxlength=MAX_NAME_LENGTH, placeholder="Pumps"
                ),
                fields.text(
                    "scope",
                    "Markets and pairs",
                    "As exchange:BASE/QUOTE, separated by commas; * and ? match.",
                    placeholder="kraken:*/USD, okx:BTC/*",
                    list=ids.RULE_SCOPES,
                ),
                html.Datalist([html.Option(value=one) for one in _scopes(metrics)], id=ids.RULE_SCOPES),
            ],
        ),
        parts.card("Condition", _condition(fields, draft["quantity"]), className="rule-condition"),
        parts.card(
            "Timing",
            [
                fields.select("pending", "For at least", _spans(PENDING, draft["pending"], "no time (fires at once)")),
                fields.select("cooldown", "Cooldown", _spans(COOLDOWNS, draft["cooldown"], "none (fires every time)")),
                fields.number(
                    "hysteresis",
                    "Resolves below the threshold by, %",
                    "Hysteresis: a value that hovers around the threshold does not flap. A rule on a falling value "
                    "resolves above it.",
                ),
            ],
            className="rule-pace",
        ),
        parts.card("Notify", _notify(fields, draft, channels)),
    ]


def kind_options(quantity: object) -> Options:
    """The conditions that a quantity can have."""
    return [{"value": kind, "label": KINDS[kind]} for kind in kinds_for(quantity)]


def way_options(quantity: object) -> Options:
    """The directions in which a quantity can move."""
    return _options(RANK_WAYS if quantity == "rank" else WAYS)


def field_class(name: str, *, visible: bool, has_error: bool) -> str:
    """The classes of a field."""
    return " ".join(["field", f"field-{name}"] + ["is-hidden"] * (not visible) + ["has-error"] * has_error)


class _Fields:
    """Builds fields with the values and errors of a draft."""

    def __init__(self, draft: Draft, errors: Mapping[str, str]) -> None:
        self._draft, self._errors, self._visible = draft, errors, visible_fields(draft)

    def text(self, name: str, label: str, hint: str | None = None, **more: Any) -> Component:
        value = self._draft[name]
        box = dbc.Input(id=ids.rule_field(name), type="text", value=value, autocomplete="off", **more)
        return self._labelled(name, label, box, hint)

    def number(self, name: str, label: str, hint: str | None = None) -> Component:
        return self.text(name, label, hint, inputmode="decimal")

    def select(self, name: str, label: str, options: Options) -> Component:
        return self._labelled(
            name, label, dbc.Select(id=ids.rule_field(name), options=options, value=self._draft[name])
        )

    def segments(self, name: str, label: str, options: Options) -> Component:
        return self.group(name, label, parts.segments(ids.rule_field(name), options, self._draft[name]))

    def group(self, name: str, label: str, control: Component) -> Component:
        """A field of several boxes under one legend."""
        return self._frame(html.Fieldset, name, [html.Legend(label, className="field-label"), control])

    def _labelled(self, name: str, label: str, control: Component, hint: str | None = None) -> Component:
        note = [] if hint is None else [html.Span(hint, className="hint")]
        return self._frame(html.Div, name, [html.Label([html.Span(label, className="field-label"), control]), *note])

    def _frame(self, element: Callable[..., Component], name: str, content: Sequence[Component]) -> Component:
        error = self._errors.get(name)
        alert = html.Span(error, id=ids.rule_error(name), className="error-text", **parts.aria(live="polite"))
        look = field_class(name, visible=name in self._visible, has_error=error is not None)
        return element([*content, alert], id=ids.rule_row(name), className=look)


def _condition(fields: _Fields, quantity: str) -> list[Component]:
    quantities = [{"value": name, "label": NOUNS[name].capitalize()} for name in QUANTITIES]
    windows = [{"value": str(seconds), "label": span_text(seconds)} for seconds in WINDOWS]
    return [
        fields.select("quantity", "Quantity", quantities),
        fields.select("kind", "Condition", kind_options(quantity)),
        fields.segments("side", "Side", _options(SIDES)),
        fields.segments("way", "Direction", way_options(quantity)),
        fields.number("factor", "Factor"),
        fields.number("percent", "By more than, %"),
        fields.number("level", "Level", "Prices are in the quote currency."),
        fields.number("places", "Places", "10 for the top 10."),
        fields.number("periods", "Periods without a price"),
        fields.select("window", "Window", windows),
        fields.number("min_samples", "Minimum samples", "The rule does not fire on an average of fewer."),
    ]


def _notify(fields: _Fields, draft: Draft, configured: Sequence[str]) -> list[Component]:
    radio = dbc.RadioItems(id=ids.rule_field("notify"), options=_options(NOTIFY), value=draft["notify"])
    removed = [name for name in draft["channels"] if name not in configured]
    options = [{"value": name, "label": name} for name in configured]
    options += [{"value": name, "label": f"{name} (no longer configured)"} for name in removed]
    boxes = dbc.Checklist(id=ids.rule_field("channels"), options=options, value=draft["channels"])
    if configured:
        test: Component = html.Div(
            [
                html.Button("Send a test", id=ids.RULE_TEST, className="small-button", type="button"),
                html.Div(id=ids.RULE_TEST_RESULT, role="status", className="rule-test-result"),
            ],
            className="rule-test",
        )
    else:
        test = html.P(["No channel is configured: set ", html.Code("NOTIFY_URLS"), "."], className="quiet hint")
    label = "Notify again when an alert resolves"
    resolved = dbc.Checkbox(id=ids.rule_field("send_resolved"), label=label, value=draft["send_resolved"])
    return [
        fields.group("notify", "Channels", radio),
        fields.group("channels", "Selected channels", boxes),
        fields.group("send_resolved", "Send resolved", resolved),
        test,
    ]


def _options(choices: Sequence[tuple[str, str]]) -> Options:
    return [{"value": value, "label": label} for value, label in choices]


def _spans(offered: Sequence[int], chosen: str, none: str) -> Options:
    """Spans of time to choose from, with the chosen one although it is not among those offered."""
    lengths = sorted({*offered, int(chosen)})
    return [{"value": str(one), "label": span_text(one) if one else none} for one in lengths]


def _scopes(metrics: Iterable[RankedMetric]) -> list[str]:
    """Scopes to suggest: all pairs of each market, and those of one quote."""
    scopes: dict[str, None] = {}
    for row in metrics:
        scopes[f"{row.market}:*/*"] = None
        scopes[f"{row.market}:*/{row.quote}"] = None
    return sorted(scopes)
