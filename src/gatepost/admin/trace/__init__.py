"""What happened to mail: search the trace, show one story."""
