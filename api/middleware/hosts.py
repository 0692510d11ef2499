"""The host names that the server answers to."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

LOOPBACK_NAMES = ("localhost", ".localhost", "127.0.0.1", "[::1]")

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The host names that this server answers to; one that begins with a dot includes all subdomains, None is any.

    Against DNS rebinding: a foreign site can point its own name here and have its visitors' browsers send requests
    under that name. It cannot do so with an address, so `any_address` allows all addresses.
    """

    names: tuple[str, ...] | None = None
    any_address: bool = False

    def include(self, host: str) -> bool:
        """True if the Host header `host` is one of them."""
        if self.names is None:
            return True
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower().rstrip(".")
        if self.any_address and _is_address(name):
            return True
        return any(name == own or (own.startswith(".") and name.endswith(own)) for own in self.names)


ANY_HOST = Hosts()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def hosts_of(allowed: tuple[str, ...], machine: str, *, on_loopback: bool, is_closed: bool) -> Hosts:
    """The names that a server answers to: those that its operator has `allowed`, and always those of loopback.

    Without `allowed`, a closed server answers to any name: a rebound one comes without a password. An open server
    answers only to names that nobody else can point here: those of loopback and, if other machines reach it, the name
    of its `machine` and addresses.
    """
    if allowed:
        return Hosts((*allowed, *LOOPBACK_NAMES))
    if is_closed:
        return ANY_HOST
    if on_loopback:
        return Hosts(LOOPBACK_NAMES)
    name = machine.lower()
    short = name.partition(".")[0]
    return Hosts((*LOOPBACK_NAMES, name, short, f"{short}.local"), any_address=True)
