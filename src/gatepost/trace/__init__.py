"""The story of each message and each refused transaction: what is kept of it, and how it is searched. No I/O."""
