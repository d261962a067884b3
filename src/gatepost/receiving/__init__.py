"""Listener, session and acceptance: from a socket to a message on stable storage."""
