"""Alarms: what an operator must know now, raised once, repeated daily, and cleared."""
