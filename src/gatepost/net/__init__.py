"""Adapters to the network: TLS, DNS, sockets."""
