"""Random histories of the whole pipeline: after each step, every figure matches the stored prices."""

import pytest

from services.store.database.engine import Engine
from tests.pipeline.random_history import RandomHistory


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few short histories in the suite; hundreds of longer ones with --soak."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(300 if metafunc.config.getoption("--soak") else 2))


@pytest.mark.soak
def test_every_figure_matches_the_stored_prices_after_each_step(engine: Engine, seed: int, soak: bool) -> None:
    history = RandomHistory(engine, seed)
    history.check()
    for _ in range(60 if soak else 30):
        history.take_step()
        history.check()
