"""Tenants, domains, connectors and tokens: changed, imported, exported, audited."""
