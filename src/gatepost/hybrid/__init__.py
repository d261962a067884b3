"""The set-up wizard: observe both sides, say what should be, plan the difference, apply it, verify, undo."""
