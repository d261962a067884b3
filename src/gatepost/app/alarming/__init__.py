"""Alarms, connected: a process that looks and posts, a worker that mails, and what an operator asks of them."""
