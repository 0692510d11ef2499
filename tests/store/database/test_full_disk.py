from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from api.routes import mount
from services.actions.alerts import StoreAlertService
from services.market.errors import StoreUnavailable
from services.store.database.engine import open_engine
from services.store.database.schema import migrate
from tests.fakes import fake_dependencies
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness


def test_a_full_disk_fails_readiness_until_it_has_space_and_loses_no_data(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    migrate(engine, simulated=False)
    most_pages: list[int] = []

    @event.listens_for(engine, "begin")
    def limit(connection) -> None:  # type: ignore[no-untyped-def]
        if most_pages:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {most_pages[0]}")

    exchange = FakeExchange("kraken", {f"C{number}/USD": 1.0 + number for number in range(500)})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    for _ in range(3):
        pipeline.tick()
    server = Flask(__name__)
    mount(
        server,
        fake_dependencies(
            pipeline.reader,
            lambda: pipeline.now + timedelta(seconds=5),
            alert_service=StoreAlertService(pipeline.engine, ()),
        ),
    )
    client = server.test_client()
    assert client.get("/readyz").status_code == 200
    before = pipeline.stored("kraken:C7-USD")
    with engine.connect() as connection:
        most_pages.append(connection.exec_driver_sql("PRAGMA page_count").scalar_one())

    for _ in range(4):
        with pytest.raises(StoreUnavailable, match="full"):
            pipeline.tick()
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["detail"] == "nothing can be written to the database"
        assert client.get("/live").json["cannot_write"] == "database or disk is full"  # type: ignore[index]
    assert pipeline.stored("kraken:C7-USD") == before

    most_pages[0] = 2**30
    report = pipeline.tick()
    assert report is not None
    assert (report.state.stored, report.state.missed) == (500, 4)
    assert client.get("/readyz").status_code == 200
    assert pipeline.stored("kraken:C7-USD") == [*before, (pipeline.now, 8.0)]
    engine.dispose()
