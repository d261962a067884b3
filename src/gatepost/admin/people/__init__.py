"""People of the console: added and removed by the operator; their links, passwords and sessions."""
