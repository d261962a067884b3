"""The console: what happened to mail, in a browser; for operators and for each tenant, in a process of its own."""
