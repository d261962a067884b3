"""What happened in a session, what would happen, and a session of our own with another host."""
