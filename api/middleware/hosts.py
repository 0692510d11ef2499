"""The host names that the server answers to."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

LOOPBACK_NAMES = ("localhost", ".localhost", "127.0.0.1", "[::1]")

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that this server answers to; one that begins with a dot stands for all below it, None for any.

    A page elsewhere can have its own name point here, and have its visitor's browser ask in that name. It cannot do so
    with an address: `any_address` answers to all of them.
    """

    names: tuple[str, ...] | None = None
    any_address: bool = False

    def include(self, host: str) -> bool:
        """Whether `host`, a Host header, is one of them."""
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
    """The names that a server answers to: those that its operator allows, and always those of loopback.

    Where none are allowed, a closed server answers to any: a name of somebody else's comes with no password. An open
    one answers to the names that nobody else can have point here: those of loopback, and where others reach it also
    the name of its `machine` and addresses.
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
