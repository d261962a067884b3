"""SQLite files: the directory of all workers, and a queue for each worker."""
