"""Whose mail is this? Tenants, what they own, and the one pure function from evidence to attribution."""
