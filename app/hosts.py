"""Which names this server answers to, and the pages of which it lets use it: none that lies elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})

_HEADER = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::\d*)?")
_PLAIN = re.compile(r"[a-z0-9._-]+")


@dataclass(frozen=True)
class Hosts:
    """The names of a server. One that answers to any name can be read by a page elsewhere (DNS rebinding).

    Attributes:
        names: in lower case, addresses in their shortest form; `*` is any name.
        addresses: whether any IP address is a name too. It is names that can be made to resolve to this machine.
    """

    names: Collection[str]
    addresses: bool

    def hold(self, header: str) -> bool:
        """Whether what a `Host` header says is one of them."""
        name = host_of(header)
        return "*" in self.names or name in self.names or (self.addresses and _is_address(name))

    def let_use(self, origin: str, header: str) -> bool:
        """Whether a page of this origin may use what is asked for by this `Host`: the same one, or one of the names."""
        name = host_of(origin.partition("://")[2])
        return "*" in self.names or name in self.names or (name != "" and name == host_of(header))


def hosts(bound: str, named: str = "") -> Hosts:
    """The names of a server that listens on `bound`, and of those in `named`, which are parted by commas.

    Raises:
        ValueError: if one of those is no name; it is the error's message.
    """
    more = {host_of(name.strip()) for name in named.split(",") if name.strip()}
    for name in more - {"*"}:
        if not _PLAIN.fullmatch(name) and not _is_address(name):
            raise ValueError(name)
    return Hosts(LOCAL | {host_of(bound)} | more, addresses=bound not in LOCAL)


def host_of(header: str) -> str:
    """The host in `HOST:PORT`, `[ADDRESS]:PORT` or either without the port, as it is compared."""
    match = _HEADER.fullmatch(header)
    name = (match[1] or match[2] or "" if match else header).lower().removesuffix(".")
    with suppress(ValueError):
        return str(ip_address(name))
    return name


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(name))
    return False
