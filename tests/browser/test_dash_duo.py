"""The dashboard under the fixtures of dash.testing."""

from dash.testing.composite import DashComposite

from app import create_app
from layouts import ids
from tests.fakes import FakeReader, fake_dependencies


def test_the_dashboard_runs_under_dashs_own_fixtures(dash_duo: DashComposite, reader: FakeReader) -> None:
    dash_duo.driver.set_window_size(1440, 900)  # the table draws no rows below the window's lower edge
    dash_duo.start_server(create_app(fake_dependencies(reader)))

    dash_duo.wait_for_contains_text(f"#{ids.RANKING_TABLE}", "BTC/", timeout=20)
    dash_duo.find_element(f"#{ids.RANKING_TABLE} [aria-rowindex='2'] [col-id='pair']").click()

    dash_duo.wait_for_element(f"#{ids.METRIC_CHART}", timeout=20)
    assert dash_duo.get_logs() == []
