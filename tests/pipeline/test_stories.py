"""Random histories of the whole pipeline: every figure is that of the stored prices, whatever happens."""

import pytest

from services.store.database.engine import Engine
from tests.pipeline.story import Story


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few short stories in the suite; hundreds, and longer ones, with --soak."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(300 if metafunc.config.getoption("--soak") else 2))


@pytest.mark.soak
def test_every_figure_is_that_of_the_stored_prices_after_each_step(engine: Engine, seed: int, soak: bool) -> None:
    story = Story(engine, seed)
    story.check()
    for _ in range(60 if soak else 30):
        story.go_on()
        story.check()
