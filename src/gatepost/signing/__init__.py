"""DKIM out: what of a message is signed, by whose key, and the header field that says so (RFC 6376)."""
