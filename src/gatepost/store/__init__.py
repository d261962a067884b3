"""SQLite: directory, queues; files: protocol logs, session records."""
