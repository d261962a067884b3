"""List, hold, retry and remove queued mail."""
