"""All component ids. Those marked public are also used by tests outside of this repository."""

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
TICK_STALE = "tick-stale"
REVISION = "revision"
VIEW = "view"
THEME = "theme"
ZONE = "zone"
ZONE_NAME = "zone-name"
TOAST = "toast"
TOAST_TEXT = "toast-text"
TOAST_RETRY = "toast-retry"
FAILED = "failed-updates"
ALERT_LIST = "alert-list"
ACKNOWLEDGE_ALL = "acknowledge-all"

RANKING = "ranking"
RANKING_SEARCH = "ranking-search"
RANKING_FRAME = "ranking-frame"
RANKING_EMPTY = "ranking-empty"
RANKING_CAUSE = "ranking-cause"
RANKING_COUNT = "ranking-count"
RANKING_NO_MATCH = "ranking-no-match"
RANKING_COLUMNS = "ranking-columns"
RANKING_VIEW = "ranking-view"
RANKING_EXPORT = "ranking-export"
RANK_BY = "rank-by"
FILTERS = "filters"
FILTERS_OPEN = "filters-open"
FILTER_COUNT = "filter-count"
FILTER_MARKET = "filter-market"
FILTER_QUOTE = "filter-quote"
FILTER_ALL = "filter-all"
FILTER_FAVOURITES = "filter-favourites"
FILTER_STABLECOINS = "filter-stablecoins"
FILTER_FULL = "filter-full"
FILTER_RESET = "filter-reset"
RANKING_MAP = "ranking-map"
MAP_SIZE = "map-size"
MAP_COLOUR = "map-colour"
MAP_SCALE = "map-scale"
MAP_NOTE = "map-note"
MAP_TIP = "map-tip"
TRACKED = "figure-tracked"
LIVE_NOW = "figure-live"
STALE = "figure-stale"
STALE_CHOICE = "choose-stale"
ALERTED = "figure-alerts"
LAST_TICK = "figure-last-tick"
NEXT_TICK = "figure-next-tick"

METRIC_ID = "metric-id"
METRIC_TITLE = "metric-title"
METRIC_HEADLINE = "metric-headline"
METRIC_NOTICE = "metric-notice"
METRIC_FIGURES = "metric-figures"
METRIC_NEIGHBOURS = "metric-neighbours"
METRIC_ALERTS = "metric-alerts"
METRIC_SPAN = "metric-span"
METRIC_THRESHOLD = "metric-threshold"
METRIC_KIND = "metric-kind"
METRIC_RANKS = "metric-ranks"
METRIC_PREVIOUS = "metric-previous"
METRIC_NEXT = "metric-next"
METRIC_ASK = "metric-ask"
METRIC_UPDATE = "metric-update"
METRIC_CSV = "metric-csv"
HISTORY_CSV = "history-csv"
METRIC_PNG = "metric-png"
METRIC_FILE = "metric-file"

COMPARE_BODY = "compare-body"
COMPARE_CHART = "compare-chart"
COMPARE_CHOSEN = "compare-chosen"
COMPARE_MATRIX = "compare-matrix"
COMPARE_SEARCH = "compare-search"
COMPARE_RESULTS = "compare-results"
COMPARE_ASK = "compare-ask"
COMPARE_UPDATE = "compare-update"

ALERT_HISTORY = "alert-history"
HISTORY_ASK = "history-ask"
HISTORY_CHOSEN = "history-chosen"
HISTORY_DONE = "history-done"
HISTORY_SEARCH = "history-search"
HISTORY_RULE = "history-rule"
HISTORY_STATE = "history-state"
HISTORY_SPAN = "history-span"
HISTORY_UNACKNOWLEDGED = "history-unacknowledged"
HISTORY_CLEAR = "history-clear"
HISTORY_TOOLS = "history-tools"
HISTORY_UNMUTE = "history-unmute"
ACKNOWLEDGE_DIALOG = "acknowledge-dialog"
ACKNOWLEDGE_TEXT = "acknowledge-text"
ACKNOWLEDGE_NOTE = "acknowledge-note"
ACKNOWLEDGE_DO = "acknowledge-do"
ACKNOWLEDGE_CANCEL = "acknowledge-cancel"
MUTE_DIALOG = "mute-dialog"
MUTE_TEXT = "mute-text"
MUTE_LENGTH = "mute-length"
MUTE_UNTIL = "mute-until"
MUTE_REFUSED = "mute-refused"
MUTE_NOTE = "mute-note"
MUTE_DO = "mute-do"
MUTE_CANCEL = "mute-cancel"
DELIVERIES = "deliveries"
DELIVERIES_PAGE = "deliveries-page"
DELIVERIES_POLL = "deliveries-poll"

STATUS_ZONE = "status-zone"
STATUS_OVERVIEW = "status-overview"
STATUS_WORK = "status-work"
STATUS_STORAGE = "status-storage"
STATUS_SIZES = "status-sizes"
STATUS_LISTINGS = "status-listings"
STATUS_TICKS = "status-ticks"
STATUS_CHART = "status-chart"
STATUS_DRAWN = "status-drawn"

ALERTING_BODY = "alerting-body"
ALERTING_TABS = "alerting-tabs"
ALERTING_SHOWN = "alerting-shown"
RULES_LIST = "rules-list"
RULE_EDITED = "rule-edited"
RULE_SHOW_EMPTY = "rule-show-empty"
RULE_SCOPES = "rule-scopes"
RULE_SENTENCE = "rule-sentence"
RULE_REACH = "rule-reach"
RULE_SAVE = "rule-save"
RULE_REFUSED = "rule-refused"
RULE_TEST = "rule-test"
RULE_TEST_RESULT = "rule-test-result"
RULE_REPLAY = "rule-replay"
RULE_REPLAY_WAIT = "rule-replay-wait"
RULE_REPLAY_TEXT = "rule-replay-text"
RULE_REPLAY_PROGRESS = "rule-replay-progress"
RULE_REPLAY_CANCEL = "rule-replay-cancel"
RULE_REPLAY_REQUEST = "rule-replay-request"
RULE_REPLAY_RESULT = "rule-replay-result"
RULE_REPLAY_METRIC = "rule-replay-metric"
RULE_REPLAY_CHART = "rule-replay-chart"


def rule_field(name: object) -> dict[str, object]:
    """A field of the rule form."""
    return {"type": "rule-field", "name": name}


def rule_row(name: object) -> dict[str, object]:
    """A field with its label and hint."""
    return {"type": "rule-row", "name": name}


def rule_error(name: object) -> dict[str, object]:
    """The error of a field."""
    return {"type": "rule-error", "name": name}


def rule_replay(span: object) -> dict[str, object]:
    """The button that replays the rule on this span."""
    return {"type": "rule-replay-span", "span": span}


def channel_test(name: object) -> dict[str, object]:
    """The button that tests a channel."""
    return {"type": "channel-test", "index": name}


def channel_result(name: object) -> dict[str, object]:
    """The result of a channel's test."""
    return {"type": "channel-result", "index": name}
