from pathlib import Path

from services.bootstrap import open_services
from services.settings import read_settings
from tests.builders import NOON


def test_the_simulated_exchange_has_as_many_pairs_as_the_settings_say(tmp_path: Path) -> None:
    services = open_services(
        read_settings(None, database_url=f"sqlite:///{tmp_path}/demo.db", track="demo:*", demo_pairs=43)
    )
    services.migrate()
    services.discovery.run(NOON)

    names = {row.base for row in services.reader.ranking().metrics}
    assert {name for name in names if name.startswith("DEMO")} == {"DEMO00001", "DEMO00002", "DEMO00003"}
    assert len(services.reader.ranking().metrics) == 43
    services.engine.dispose()
