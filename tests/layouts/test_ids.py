import re
from pathlib import Path

from layouts import ids

ROOT = Path(__file__).parents[2]


def test_the_browsers_scripts_use_ids_that_exist():
    script = (ROOT / "assets/0-ids.js").read_text()
    named = set(re.findall(r': "([a-z-]+)"', script))

    assert ids.RANKING_TABLE in named
    assert named <= {value for name, value in vars(ids).items() if name.isupper()}


def test_ids_are_unique():
    values = [value for name, value in vars(ids).items() if name.isupper()]

    assert len(values) == len(set(values))


def test_the_public_ids_do_not_change():
    assert (ids.RANKING_TABLE, ids.METRIC_CHART, ids.ALERT_BANNER, ids.CONNECTION_STATUS) == (
        "ranking-table",
        "metric-chart",
        "alert-banner",
        "connection-status",
    )
