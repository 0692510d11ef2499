from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from services.concurrency.versioned_cache import VersionedCache


class Maker:
    """Returns one value after another and counts its calls; it can be blocked, and can fail."""

    def __init__(self, *values: object) -> None:
        self.values = list(values)
        self.made = 0
        self.started = Event()
        self.may_end = Event()
        self.may_end.set()

    def __call__(self) -> object:
        value = self.values[self.made]
        self.made += 1
        self.started.set()
        assert self.may_end.wait(10)
        if isinstance(value, BaseException):
            raise value
        return value


def test_a_value_is_computed_once_per_version():
    cache, make = VersionedCache(), Maker("one", "two")
    assert [cache.get("key", 1, make) for _ in range(3)] == ["one"] * 3
    assert make.made == 1


def test_a_new_version_is_computed_and_replaces_the_old_one():
    cache, make = VersionedCache(), Maker("one", "two", "three")
    assert [cache.get("key", version, make) for version in (1, 2, 2, 1)] == ["one", "two", "two", "three"]


def test_keys_are_independent():
    cache, make = VersionedCache(), Maker("a", "b")
    assert [cache.get(key, 1, make) for key in ("a", "b", "a", "b")] == ["a", "b", "a", "b"]


def test_an_error_is_raised_and_not_cached():
    cache, make = VersionedCache(), Maker(ValueError("no"), "better")
    with pytest.raises(ValueError, match="no"):
        cache.get("key", 1, make)
    assert cache.get("key", 1, make) == "better"


def test_the_least_recently_used_value_is_dropped_first():
    cache = VersionedCache(max_entries=2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, 1, lambda key=key: f"first {key}")
    found = {key: cache.get(key, 1, lambda: "second") for key in ("a", "c")}
    assert found == {"a": "first a", "c": "first c"}
    assert cache.get("b", 1, lambda: "second") == "second"


def test_a_caller_waits_for_a_value_that_is_being_computed():
    cache, make = VersionedCache(), Maker("once", "twice")
    make.may_end.clear()
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(cache.get, "key", 1, make)
        assert make.started.wait(10)
        others = [threads.submit(cache.get, "key", 1, make) for _ in range(4)]
        make.may_end.set()
        assert [future.result(10) for future in (first, *others)] == ["once"] * 5
    assert make.made == 1


def test_waiting_callers_get_the_error_too():
    cache, make = VersionedCache(), Maker(ValueError("no"), ValueError("no"))
    make.may_end.clear()
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(cache.get, "key", 1, make)]
        assert make.started.wait(10)
        futures.append(threads.submit(cache.get, "key", 1, make))
        make.may_end.set()
        assert [str(future.exception(10)) for future in futures] == ["no", "no"]


def test_a_failure_of_an_old_version_does_not_affect_the_new_one():
    cache, slow = VersionedCache(), Maker(ValueError("old"))
    slow.may_end.clear()
    with ThreadPoolExecutor(1) as threads:
        old = threads.submit(cache.get, "key", 1, slow)
        assert slow.started.wait(10)
        assert cache.get("key", 2, lambda: "new") == "new"
        slow.may_end.set()
        assert str(old.exception(10)) == "old"
    assert cache.get("key", 2, lambda: "newer") == "new"
