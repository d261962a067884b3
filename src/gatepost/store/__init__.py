"""SQLite files: the directory of all workers, and for each worker a queue and a trace."""

from gatepost.store import values

values.take_as_they_are()
