"""Measuring mail servers: the load generator of `gatepost bench load`."""
