import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, active_count
from typing import Any

import pytest

from services.name_resolution import Resolver, install_resolver
from tests.waiting import wait_for

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


@dataclass
class NameServer:
    """Returns FOUND, but blocks while it is not `open`."""

    open: Event = field(default_factory=Event)
    hosts: list[Any] = field(default_factory=list)

    def __call__(self, host: Any, *_: Any) -> list[Any]:
        self.hosts.append(host)
        assert self.open.wait(60)
        if host == "unknown.test":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return FOUND


@pytest.fixture
def server() -> Iterator[NameServer]:
    server = NameServer()
    server.open.set()
    yield server
    server.open.set()


def test_results_and_errors_of_the_system_are_passed_on(server: NameServer) -> None:
    look_up = Resolver(server)
    assert look_up("host.test", 443, type=socket.SOCK_STREAM) == FOUND
    with pytest.raises(socket.gaierror, match="unknown"):
        look_up("unknown.test", 443)
    assert server.hosts == ["host.test", "unknown.test"]


def test_a_hanging_name_server_times_out_and_occupies_a_limited_number_of_threads(
    server: NameServer,
) -> None:
    server.open.clear()
    look_up, before = Resolver(server, seconds=0.05, max_under_way=4), active_count()
    for _ in range(5):
        with pytest.raises(socket.gaierror, match=r"no name server has answered within 0\.05 s"):
            look_up("host.test", 443)
    assert server.hosts == ["host.test"]
    for number in range(3):
        with pytest.raises(socket.gaierror, match="within"):
            look_up(f"other{number}.test", 443)
    with pytest.raises(socket.gaierror, match="too many look-ups"):
        look_up("one-too-many.test", 443)
    assert active_count() <= before + 4

    server.open.set()
    wait_for(lambda: active_count() <= before)
    assert look_up("host.test", 443) == FOUND


def test_equal_look_ups_share_one_thread(server: NameServer) -> None:
    server.open.clear()
    look_up = Resolver(server)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(look_up, "host.test", 443) for _ in range(4)]
        wait_for(lambda: server.hosts)
        server.open.set()
        assert all(one.result(60) == FOUND for one in waiting)
    assert len(server.hosts) <= 4


@pytest.mark.parametrize("host", ["192.0.2.1", "::1", "fe80::1%eth0", None, ""])
def test_addresses_are_looked_up_without_a_thread(server: NameServer, host: str | None) -> None:
    before = active_count()
    server.open.clear()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(Resolver(server, seconds=0.01), host, 443)
        wait_for(lambda: server.hosts)
        assert active_count() <= before + 1
        server.open.set()
        assert waiting.result(60) == FOUND


def test_a_forked_process_does_not_wait_for_its_parents_threads(server: NameServer) -> None:
    server.open.clear()
    look_up = Resolver(server, seconds=0.05)
    with pytest.raises(socket.gaierror):
        look_up("host.test", 443)
    look_up.forget()  # as in the child
    server.open.set()
    assert look_up("host.test", 443) == FOUND


def test_the_resolver_is_installed_once_for_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    install_resolver()
    bounded = socket.getaddrinfo
    install_resolver()
    assert socket.getaddrinfo is bounded
    assert isinstance(bounded, Resolver)
    assert {found[4][0] for found in bounded("localhost", 80)} <= {"127.0.0.1", "::1"}
