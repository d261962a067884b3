"""The life of a message between the 250 and its end: rules only, no I/O; time is an argument."""
