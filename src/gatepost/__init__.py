"""Gatepost: a mail relay that knows whose mail it carries."""

__version__ = "0.1.0"
