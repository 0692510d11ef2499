"""The dialogs in which alerts are acknowledged and metrics are muted."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.mute_lengths import MUTE_LENGTHS, UNTIL_CHOSEN, UNTIL_RESOLVED
from services.market.text import MAX_NOTE_LENGTH


def acknowledging() -> Component:
    """Asks for a note before one alert, or all that pass the filters, are acknowledged."""
    return _dialog(
        ids.ACKNOWLEDGE_DIALOG,
        "Acknowledge",
        [
            html.P(id=ids.ACKNOWLEDGE_TEXT),
            _note(ids.ACKNOWLEDGE_NOTE, "What you know about it, for the next person who looks"),
        ],
        ids.ACKNOWLEDGE_CANCEL,
        html.Button("Acknowledge", id=ids.ACKNOWLEDGE_DO, className="button", type="button"),
    )


def muting() -> Component:
    """Asks how long a metric is muted, and why."""
    choices = [{"value": value, "label": name} for value, (name, _) in MUTE_LENGTHS.items()]
    choices.append({"value": UNTIL_CHOSEN, "label": "Until a date and time"})
    calendar: dict[str, Any] = {"type": "datetime-local"}  # missing in the component's list of types
    return _dialog(
        ids.MUTE_DIALOG,
        "Mute",
        [
            html.P(id=ids.MUTE_TEXT),
            dbc.RadioItems(id=ids.MUTE_LENGTH, options=choices, value=UNTIL_RESOLVED, className="mute-lengths"),
            html.Div(
                [
                    html.Label("Muted until", htmlFor=ids.MUTE_UNTIL, className="visually-hidden"),
                    dbc.Input(id=ids.MUTE_UNTIL, value="", **calendar),
                ],
                className="mute-until",
            ),
            html.P(id=ids.MUTE_REFUSED, className="error-text", role="alert"),
            _note(ids.MUTE_NOTE, "Why"),
        ],
        ids.MUTE_CANCEL,
        html.Button("Mute", id=ids.MUTE_DO, className="button", type="button"),
    )


def _note(identity: str, hint: str) -> Component:
    area = dbc.Textarea(id=identity, value="", rows=3, maxLength=MAX_NOTE_LENGTH, placeholder=hint)
    return html.Div([html.Label("Note", htmlFor=identity), area], className="dialog-note")


def _dialog(identity: str, title: str, content: list[Component], cancel: str, button: Component) -> Component:
    dialog: Component = dbc.Modal(
        [
            dbc.ModalHeader(dbc.ModalTitle(title, id=f"{identity}-title", tag="h2")),
            dbc.ModalBody(content),
            dbc.ModalFooter(
                [html.Button("Cancel", id=cancel, className="small-button is-tall", type="button"), button],
            ),
        ],
        id=identity,
        labelledby=f"{identity}-title",
        is_open=False,
        centered=True,
        fade=False,  # a quick click would miss a dialog that still moves
        className="dialog",
    )
    return dialog
