"""What will stop working, and who is written to about it."""
