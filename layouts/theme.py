"""Colours and the grid's look. The two themes themselves are custom properties in assets/tracker.css.

On screen, everything takes its colours from there, so that a switch of theme costs no round trip and cannot disturb a
zoom. The values below are those of a chart outside the page, as in a downloaded picture.
"""

ACCENT = "#3451c6"
BAND = "rgba(52,81,198,0.16)"  # the accent, thinned
MUTED = "#5b6478"
ALERT = "#be123c"
UP, DOWN = "#0b7261", "#b3440a"
COMPARED = (ACCENT, DOWN, UP, "#8e2f8e", "#0a78a8", ALERT, "#7a6200", MUTED)
"""The lines of a comparison; assets/compare.css has their places in each theme."""

GRID_LINE = "#e4e8f0"
CLEAR = "rgba(0,0,0,0)"

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

_GRID_PARAMETERS = {
    "accentColor": "var(--dt-accent)",
    "backgroundColor": "var(--dt-surface)",
    "foregroundColor": "var(--dt-text)",
    "textColor": "var(--dt-text)",
    "headerBackgroundColor": "var(--dt-surface)",
    "headerTextColor": "var(--dt-muted)",
    "borderColor": "var(--dt-line)",
    "rowHoverColor": "var(--dt-hover)",
    "selectedRowBackgroundColor": "var(--dt-selected)",
    "chromeBackgroundColor": "var(--dt-surface)",
    "menuBackgroundColor": "var(--dt-surface)",
    "inputBackgroundColor": "var(--dt-surface)",
    "valueChangeValueHighlightBackgroundColor": "transparent",
    "fontFamily": "inherit",
    "browserColorScheme": "inherit",
}


def grid_theme() -> dict[str, str]:
    """AG Grid's Quartz, coloured by the page's own custom properties."""
    parameters = ", ".join(f"{name}: '{value}'" for name, value in _GRID_PARAMETERS.items())
    sizes = "fontSize: 14, headerFontSize: 12.5, rowHeight: 44, headerHeight: 40, spacing: 7"
    sizes += ", cellHorizontalPadding: 12, wrapperBorder: false"
    return {"function": f"themeQuartz.withParams({{{parameters}, {sizes}}})"}
