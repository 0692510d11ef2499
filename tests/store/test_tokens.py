from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import enumerate as enumerate_threads

import pytest

from services.market.tokens import digest
from services.store.database.engine import Engine, reading, writing
from services.store.tokens import USE_THREAD, TokenStore
from tests.builders import NOON
from tests.waiting import wait_for


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def tokens(engine: Engine) -> Iterator[TokenStore]:
    yield TokenStore(engine)
    wait_for_recorded_uses()


def wait_for_recorded_uses() -> None:
    wait_for(lambda: all(thread.name != USE_THREAD for thread in enumerate_threads()))


def test_a_token_is_found_by_its_text_and_stored_only_as_a_digest(engine: Engine, tokens: TokenStore) -> None:
    secret, token = tokens.issue(" my  notebook ", "write", NOON)

    assert (token.name, token.scope, token.created_at) == ("my notebook", "write", NOON)
    assert secret.startswith(token.beginning)
    assert len(secret) == 3 + 43  # 256 bits in base64
    assert len(token.beginning) < 10
    found = tokens.holder(secret, NOON)
    assert found is not None
    assert found.id == token.id
    with reading(engine) as connection:
        stored = " ".join(map(str, connection.exec_driver_sql("SELECT * FROM token").one()))
    assert digest(secret) in stored
    assert secret not in stored


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda text: text[:-1], lambda text: text + "x", digest])
def test_a_changed_token_is_refused(tokens: TokenStore, change) -> None:
    secret, _ = tokens.issue("a", "read", NOON)
    assert tokens.holder(change(secret), NOON) is None
    assert tokens.holder("", NOON) is None
    assert tokens.holder("dt_\ud800".encode("utf-8", "replace").decode(), NOON) is None


def test_tokens_are_unique(tokens: TokenStore) -> None:
    secrets = {tokens.issue("a", "read", NOON)[0] for _ in range(20)}
    assert len(secrets) == 20
    assert [token.id for token in tokens.all()] == list(range(20, 0, -1))


def test_a_revoked_token_is_refused_here_at_once_and_in_other_processes_within_a_second(
    engine: Engine, tokens: TokenStore
) -> None:
    elsewhere = TokenStore(engine)
    secret, token = tokens.issue("a", "read", NOON)
    other, _ = tokens.issue("b", "read", NOON)
    assert elsewhere.holder(secret, at(1)) is not None

    assert tokens.revoke(token.id, at(1)) is True

    assert tokens.holder(secret, at(1)) is None
    assert elsewhere.holder(secret, at(2)) is None
    assert elsewhere.holder(other, at(2)) is not None
    assert [found.revoked_at for found in tokens.all()] == [None, at(1)]
    assert tokens.revoke(token.id, at(3)) is False
    assert tokens.revoke(99, at(3)) is False


def test_a_token_created_by_another_process_is_accepted_within_a_second(engine: Engine, tokens: TokenStore) -> None:
    assert tokens.holder("dt_nothing", NOON) is None
    secret, _ = TokenStore(engine).issue("a", "read", NOON)
    assert tokens.holder(secret, at(1)) is not None


def test_the_last_use_is_stored_to_the_minute(tokens: TokenStore) -> None:
    secret, _ = tokens.issue("a", "read", NOON)
    seen = []
    for seconds in (5, 6, 64, 65, 66):
        tokens.holder(secret, at(seconds))
        wait_for_recorded_uses()
        seen.append(tokens.all()[0].last_used_at)
    assert seen == [at(5), at(5), at(5), at(65), at(65)]


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b", "a\u202eb"])
def test_a_token_needs_a_readable_name(tokens: TokenStore, name: str) -> None:
    with pytest.raises(ValueError, match="a token needs a name of 1 to 60 visible characters"):
        tokens.issue(name, "read", NOON)
    assert tokens.all() == ()


def test_a_token_is_accepted_while_the_database_is_read_only(
    engine: Engine, tokens: TokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    secret, _ = tokens.issue("a", "read", NOON)
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        engine.dispose()
    else:
        with engine.connect() as connection:  # the only connection of the pool
            connection.exec_driver_sql("PRAGMA query_only = ON")

    assert tokens.holder(secret, NOON) is not None
    wait_for(lambda: "is not recorded" in caplog.text)
