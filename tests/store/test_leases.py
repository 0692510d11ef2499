from concurrent.futures import ThreadPoolExecutor

import pytest

from services.market.errors import LeaseLost
from services.store import leases
from services.store.engine import Engine, reading, writing


def take(engine: Engine, owner: str, now: float) -> bool:
    with writing(engine) as connection:
        return leases.take(connection, owner, now, 10, instead_of=leases.run_out(connection, now, 10))


def test_one_owner_holds_the_lease_until_it_runs_out(engine: Engine) -> None:
    assert take(engine, "a", 100)
    assert not take(engine, "b", 105)
    assert take(engine, "a", 109)
    assert not take(engine, "b", 119)
    assert take(engine, "b", 119.5)
    assert not take(engine, "a", 120)


@pytest.mark.parametrize("ahead", [60, 3 * 86_400, 3653 * 86_400])
def test_a_lease_that_was_taken_by_a_clock_that_was_ahead_is_free(engine: Engine, ahead: float) -> None:
    assert take(engine, "a", 100 + ahead)
    with reading(engine) as connection:
        assert leases.holder(connection, 100) is None
    assert take(engine, "b", 100)
    assert not take(engine, "a", 101)


def test_of_two_clocks_that_differ_by_seconds_one_holds_the_lease(engine: Engine) -> None:
    assert take(engine, "a", 108)
    assert not take(engine, "b", 100)
    assert take(engine, "a", 110)
    assert not take(engine, "b", 102)


def test_a_lease_is_taken_from_another_only_as_it_was_seen(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        seen = leases.standing(connection)
        assert not leases.take(connection, "b", 105, 10)
        assert leases.renew(connection, "a", 106, 10)
        assert not leases.take(connection, "b", 107, 10, instead_of=seen)
        assert leases.take(connection, "b", 107, 10, instead_of=leases.standing(connection))
        assert not leases.renew(connection, "a", 108, 10)


def test_a_released_lease_is_free_at_once(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        leases.release(connection, "b")
    assert not take(engine, "b", 101)

    with writing(engine) as connection:
        leases.release(connection, "a")
    assert take(engine, "b", 101)


def test_who_has_lost_the_lease_is_told_in_the_commit(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        leases.require(connection, "a")
    take(engine, "b", 200)

    with pytest.raises(LeaseLost), writing(engine) as connection:
        leases.require(connection, "a")


def test_the_holder_is_known_while_the_lease_lasts(engine: Engine) -> None:
    take(engine, "a", 100)
    with reading(engine) as connection:
        assert leases.holder(connection, 110) == "a"
        assert leases.holder(connection, 111) is None


def test_of_many_that_try_at_once_one_gets_it(engine: Engine) -> None:
    take(engine, "dead", 0)  # the row is there, and long run out

    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda number: take(engine, f"owner-{number}", 1_000), range(8)))

    assert got.count(True) == 1


def test_leases_of_other_names_are_others(engine: Engine) -> None:
    take(engine, "a", 100)
    with writing(engine) as connection:
        assert leases.take(connection, "b", 100, 10, "backfill kraken")
        assert not leases.take(connection, "a", 105, 10, "backfill kraken")
        leases.release(connection, "b", "backfill kraken")
        assert leases.take(connection, "a", 105, 10, "backfill kraken")
        leases.require(connection, "a")
