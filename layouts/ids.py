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
METRIC_KIND = "metric-kind"
METRIC_RANKS = "metric-ranks"
METRIC_PREVIOUS = "metric-previous"
METRIC_NEXT = "metric-next"
METRIC_ASK = "metric-ask"
METRIC_UPDATE = "metric-update"
METRIC_CSV = "metric-csv"
METRIC_PNG = "metric-png"
METRIC_FILE = "metric-file"

ALERT_HISTORY = "alert-history"

STATUS_BODY = "status-body"
STATUS_CHART = "status-chart"
