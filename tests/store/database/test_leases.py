import pytest

from services.market.errors import LeaseLost
from services.store.database import leases
from services.store.database.engine import Engine, reading, writing


def take(engine: Engine, owner: str, now: float) -> bool:
    with writing(engine) as connection:
        return leases.take(connection, owner, now, 10)


def take_over(engine: Engine, owner: str, now: float) -> None:
    with writing(engine) as connection:
        assert leases.take(connection, owner, now, 10, instead_of=leases.current(connection))


def test_one_owner_holds_the_lease_at_any_time(engine: Engine) -> None:
    assert take(engine, "a", 100)
    for now in (100, 111, 1e9, 0):
        assert not take(engine, "b", now)
    assert take(engine, "a", 5)
    with reading(engine) as connection:
        assert leases.current(connection) == ("a", 15)


def test_a_lease_that_changed_since_it_was_read_is_not_taken_over(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        seen = leases.current(connection)
        assert not leases.take(connection, "b", 105, 10)
        assert leases.renew(connection, "a", 106, 10)
        assert not leases.take(connection, "b", 107, 10, instead_of=seen)
        assert leases.take(connection, "b", 107, 10, instead_of=leases.current(connection))
        assert not leases.renew(connection, "a", 108, 10)


def test_a_released_lease_is_free_at_once(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        leases.release(connection, "b")
    assert not take(engine, "b", 101)

    with writing(engine) as connection:
        leases.release(connection, "a")
    assert take(engine, "b", 101)


def test_a_process_that_lost_the_lease_fails_in_its_commit(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        leases.require(connection, "a")
    take_over(engine, "b", 200)

    with pytest.raises(LeaseLost), writing(engine) as connection:
        leases.require(connection, "a")


def test_the_holder_is_known_while_the_lease_lasts(engine: Engine) -> None:
    take(engine, "a", 100)
    with reading(engine) as connection:
        assert leases.holder(connection, 110) == "a"
        assert leases.holder(connection, 111) is None
        assert leases.holder(connection, 92.5) is None  # longer than any lease lasts: set by a clock that was ahead


def test_leases_with_different_names_are_independent(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        assert leases.take(connection, "b", 100, 10, "backfill kraken")
        assert not leases.take(connection, "a", 105, 10, "backfill kraken")
        leases.release(connection, "b", "backfill kraken")
        assert leases.take(connection, "a", 105, 10, "backfill kraken")
        leases.require(connection, "a")
