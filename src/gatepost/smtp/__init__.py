"""The two SMTP machines: octets in, events out, no I/O."""
