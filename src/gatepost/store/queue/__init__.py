"""A worker's queue in a SQLite file, its spool beside it, and the operator's view of all queues."""
