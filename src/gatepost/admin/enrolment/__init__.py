"""One-time addresses, by which a tenant's server shows itself, and what is proven by them."""
