"""How the relay is now, and what of it needs a person."""
