"""Signing keys of tenants' domains: made, published, used, retired."""
