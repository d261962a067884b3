"""Whether an address is this machine's, asked of the kernel: it leaves by itself towards its own addresses."""

import socket


def is_own_address(address: str) -> bool:
    """No packet is sent: connecting a datagram socket only chooses the source address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 25))
            return str(probe.getsockname()[0]) == address
    except OSError:
        return False
