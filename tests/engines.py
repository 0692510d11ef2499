"""Engines for fixtures."""

from collections.abc import Iterator

from services.store.database.engine import Engine, open_engine


def engine_on(url: str) -> Iterator[Engine]:
    """An engine on the database at `url`, which is disposed of after the test."""
    engine = open_engine(url)
    yield engine
    engine.dispose()
