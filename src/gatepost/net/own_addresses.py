"""Whether an address is this machine's, asked of the kernel: it leaves by itself towards its own addresses. And whether
what listens there is this relay."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address


def is_own_address(address: str) -> bool:
    """No packet is sent: connecting a datagram socket only chooses the source address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 25))
            return str(probe.getsockname()[0]) == address
    except OSError:
        return False


class OwnListeners:
    """The sockets on which this relay takes mail, as (host, port); `0.0.0.0` and `::` take it at every own address."""

    def __init__(self, listeners: Iterable[tuple[str, int]]) -> None:
        self._listeners = [(ip_address(host.partition("%")[0]), port) for host, port in listeners]

    def include(self, address: str, port: int) -> bool:
        """Whether a connection to this IP address and port ends at one of them."""
        dialled = ip_address(address.partition("%")[0])
        if dialled.is_unspecified:
            # Linux takes a connection to 0.0.0.0 or :: to the loopback address.
            dialled = ip_address("::1" if dialled.version == 6 else "127.0.0.1")
        at_port = [host for host, each in self._listeners if each == port and host.version == dialled.version]
        if dialled in at_port:
            return True
        everywhere = any(host.is_unspecified for host in at_port)
        # All of 127.0.0.0/8 is here, while the kernel leaves from 127.0.0.1.
        return everywhere and (dialled.is_loopback or is_own_address(str(dialled)))
