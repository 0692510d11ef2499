"""The frame of every page: navigation, theme switch, banner, connection status and the poller."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.markup import Markup
from layouts.paths import at
from services.market.status import Profile

POLL_MS = 1_500
RETRY_MS = 3_000
TOAST_MS = 20_000

THEME_SCRIPT = (
    "(function(){var c='system';try{c=localStorage.getItem('theme')||c}catch(e){}"
    "var d=c==='dark'||(c!=='light'&&matchMedia('(prefers-color-scheme: dark)').matches);"
    "var r=document.documentElement,m=d?'dark':'light';r.dataset.bsTheme=m;r.dataset.agThemeMode=m})()"
)
"""Sets the theme before the first paint. A constant, so that the content security policy can name its hash."""

PLACES = (("/", "Ranking"), ("/compare", "Compare"), ("/alerting", "Alerts"), ("/status", "Status"))
ZONES = (("local", "Local", "Your time zone"), ("utc", "UTC", "Coordinated universal time"))
THEMES = (("light", "Light", "sun"), ("dark", "Dark", "moon"), ("system", "System", "screen"))


def index(root: str) -> str:
    """The page that Dash fills. `root` is the prefix of the server's paths: empty, or `/tracker`."""
    return f"""<!DOCTYPE html>
<html lang="en" data-root="{root}">
<head>
{{%metas%}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{%title%}}</title>
<script>{THEME_SCRIPT}</script>
<link rel="icon" type="image/svg+xml" href="{root}/assets/favicon.svg">
{{%css%}}
</head>
<body>
<noscript>Data Tracker's dashboard needs JavaScript. The statistics are also at {root}/metrics, as JSON.</noscript>
{{%app_entry%}}
<footer>{{%config%}}{{%scripts%}}{{%renderer%}}</footer>
</body>
</html>
"""


def page(profile: Profile) -> Component:
    """The frame with the empty element `ids.PAGE`."""
    return html.Div(
        [
            *_stores(),
            html.A("Skip to content", href="#" + ids.PAGE, className="skip-link"),
            html.Header(
                [
                    html.Div([_brand(profile), _navigation(), _theme_switch()], className="top-bar"),
                    html.Div([_connection(), _zone_switch()], className="status-line"),
                ],
                className="site-header",
            ),
            _banner(),
            html.Main(parts.skeleton(), id=ids.PAGE, className="page", tabIndex="-1"),
            _foot(profile),
            dbc.Toast(
                [
                    html.P(id=ids.TOAST_TEXT),
                    html.Button("Retry", id=ids.TOAST_RETRY, className="button"),
                ],
                id=ids.TOAST,
                header="Not updated",
                is_open=False,
                dismissable=True,
                duration=TOAST_MS,
                className="page-toast",
            ),
        ],
        className="shell is-simulated" if profile.simulated else "shell",
    )


def not_found(path: str) -> Component:
    """The page for an unknown path."""
    return parts.empty(
        "search",
        "Page not found",
        [
            html.P(["There is no page at ", html.Code(path), "."]),
            dcc.Link("Go to the ranking", href=at("/"), className="button"),
        ],
    )


def unavailable() -> Component:
    """The page while the database cannot be read. It recovers by itself."""
    return parts.empty(
        "plug",
        "The database is unavailable",
        html.P("This page retries every few seconds. You need not do anything here."),
        role="alert",
    )


def _stores() -> list[Component]:
    return [
        dcc.Location(id=ids.LOCATION, refresh="callback-nav"),
        dcc.Interval(id=ids.POLL, interval=POLL_MS),
        dcc.Interval(id=ids.RETRY, interval=RETRY_MS, disabled=True),
        dcc.Store(id=ids.LIVE),
        dcc.Store(id=ids.REVISION),
        dcc.Store(id=ids.TICK_STALE, data=False),
        dcc.Store(id=ids.VIEW),
        dcc.Store(id=ids.ZONE_NAME),
        dcc.Store(id=ids.TITLE),
        dcc.Store(id=ids.FAILED),
    ]


def _brand(profile: Profile) -> Component:
    name = dcc.Link(
        [
            html.Span(className="brand-mark", **parts.aria(hidden="true")),
            html.Span("Data Tracker", className="brand-name"),
        ],
        href=at("/"),
        className="brand",
    )
    mark = html.Span(
        [parts.icon("flask"), "Simulated data"],
        className="simulated-mark",
        title="The built-in demo exchange makes up the prices on this page.",
    )
    return html.Div([name, mark] if profile.simulated else [name], className="brand-group")


def _navigation() -> Component:
    links = [dbc.NavLink(name, href=at(path), active="exact", className="place") for path, name in PLACES]
    # The documentation is a page outside of the dashboard's routing.
    documentation = html.A(
        "API", href=at("/docs"), className="nav-link place", title="The JSON API: reference and requests to try"
    )
    return html.Nav([*links, documentation], className="places", **parts.aria(label="Main"))


def _connection() -> Component:
    return Markup(
        html.Span([html.Span(className="dot"), "Connecting…"], className="state"),
        id=ids.CONNECTION_STATUS,
        className="status-bar is-waiting",
        role="status",
        **parts.aria(live="polite"),
    )


def _zone_switch() -> Component:
    options = [{"value": value, "label": name, "title": title} for value, name, title in ZONES]
    switch = parts.segments(ids.ZONE, options, "local")
    return html.Div(switch, className="zone-switch", role="group", **parts.aria(label="Times shown in"))


def _theme_switch() -> Component:
    options: list[dict[str, Any]] = [
        {"value": value, "label": [parts.icon(drawing), html.Span(name, className="visually-hidden")], "title": name}
        for value, name, drawing in THEMES
    ]
    switch = parts.segments(ids.THEME, options, "system")
    return html.Div(switch, className="theme-switch", role="group", **parts.aria(label="Theme"))


def _banner() -> Component:
    return html.Aside(
        [
            Markup(id=ids.ALERT_LIST, className="alert-list"),
            html.Button(
                "Acknowledge all",
                id=ids.ACKNOWLEDGE_ALL,
                className="acknowledge-all",
                type="button",
            ),
        ],
        id=ids.ALERT_BANNER,
        className="alert-banner is-empty",
        **parts.aria(live="polite", label="Unacknowledged alerts"),
    )


def _foot(profile: Profile) -> Component:
    text = f"Data Tracker {profile.version}"
    basis = f"Ranked by the standard deviation of {profile.window_hours:g} h, sampled every {profile.period_seconds} s."
    return html.Footer(
        [html.Span(text), html.Span("Simulated data. " + basis if profile.simulated else basis)],
        className="site-footer",
    )
