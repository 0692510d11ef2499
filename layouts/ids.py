"""Every component id, once. Those marked public are used by tests outside this repository too."""

RANKING_TABLE = "ranking-table"  # public
METRIC_CHART = "metric-chart"  # public
ALERT_BANNER = "alert-banner"  # public
CONNECTION_STATUS = "connection-status"  # public

LOCATION = "location"
PAGE = "page"
TITLE = "tab-title"
POLL = "poll"
RETRY = "retry"
LIVE = "live"
REVISION = "revision"
VIEW = "view"
THEME = "theme"
TOAST = "toast"
ALERT_LIST = "alert-list"
ALERT_DISMISS = "alert-dismiss"
DISMISSED = "alerts-dismissed"

RANKING_SEARCH = "ranking-search"
RANKING_FRAME = "ranking-frame"
RANKING_EMPTY = "ranking-empty"
RANKING_COUNT = "ranking-count"
TRACKED = "figure-tracked"
LIVE_NOW = "figure-live"
STALE = "figure-stale"
ALERTED = "figure-alerts"
LAST_TICK = "figure-last-tick"

METRIC_ID = "metric-id"
METRIC_TITLE = "metric-title"
METRIC_HEADLINE = "metric-headline"
METRIC_FIGURES = "metric-figures"
METRIC_NEIGHBOURS = "metric-neighbours"
METRIC_ALERTS = "metric-alerts"
METRIC_SPAN = "metric-span"
METRIC_THRESHOLD = "metric-threshold"

ALERT_HISTORY = "alert-history"

STATUS_BODY = "status-body"
STATUS_CHART = "status-chart"

ALERTING_BODY = "alerting-body"
ALERTING_TABS = "alerting-tabs"
ALERTING_SHOWN = "alerting-shown"
RULES_LIST = "rules-list"
RULES_SHOWN = "rules-shown"
RULES_CHANGED = "rules-changed"
RULE_EDITED = "rule-edited"
RULE_INSISTED = "rule-insisted"
RULE_SCOPES = "rule-scopes"
RULE_SENTENCE = "rule-sentence"
RULE_REACH = "rule-reach"
RULE_SAVE = "rule-save"
RULE_REFUSED = "rule-refused"
RULE_TEST = "rule-test"
RULE_TEST_RESULT = "rule-test-result"
RULE_TRIAL = "rule-trial"
RULE_TRIAL_WAIT = "rule-trial-wait"
RULE_TRIAL_FOUND = "rule-trial-found"
RULE_TRIAL_METRIC = "rule-trial-metric"
RULE_TRIAL_CHART = "rule-trial-chart"


def rule_action(action: object, number: object) -> dict[str, object]:
    """A button that does something about a rule; either may be one of Dash's wildcards."""
    return {"type": "rule-action", "action": action, "index": number}


def rule_field(name: object) -> dict[str, object]:
    """A field of the form in which a rule is written."""
    return {"type": "rule-field", "name": name}


def rule_row(name: object) -> dict[str, object]:
    """What surrounds a field, its label and hint included."""
    return {"type": "rule-row", "name": name}


def rule_error(name: object) -> dict[str, object]:
    """What is wrong with a field."""
    return {"type": "rule-error", "name": name}


def rule_trial(span: object) -> dict[str, object]:
    """The button that tries the rule on so long a past."""
    return {"type": "rule-trial-span", "span": span}
