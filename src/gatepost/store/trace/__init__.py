"""The trace in SQLite files: one for each worker, day and share, written once and removed by whole days."""
