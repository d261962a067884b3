"""From the evidence an administrator has to the cause and the exact fix."""
