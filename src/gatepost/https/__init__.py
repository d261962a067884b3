"""The HTTPS server that the Management API and the console stand on: connections, rates, what a request may cost."""
