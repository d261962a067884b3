"""Mail that waits."""
