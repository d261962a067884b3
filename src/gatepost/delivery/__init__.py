"""Scheduler, connections and TLS policy: from the queue to the next hop."""
