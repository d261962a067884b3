"""Alarms that are raised, and who has not heard of them yet: one SQLite file."""
