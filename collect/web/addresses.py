"""Which addresses a stranger's URL may lead to: public ones alone.

Otherwise a list of URLs, or a redirect, could make this machine ask the router, a neighbour or the metadata service of
a cloud in the name of its owner.
"""

import ipaddress
import socket

_CLOSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # the platform service of Azure, at a public address
        "192.0.0.0/24",  # of protocols, and the metadata service of one cloud; Python knows only parts of it
        "2001::/32",  # Teredo, 6to4 and NAT64 hold an IPv4 address, which may be a private one
        "2002::/16",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "fec0::/10",
    )
)


def is_public(address: str) -> bool:
    """Return whether an address, as text, is one of the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if any(parsed in network for network in _CLOSED):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved)


def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the resolver of this machine gives them.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
