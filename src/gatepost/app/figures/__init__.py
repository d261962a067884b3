"""What a relay counts of its work, worker by worker: for `gatepost status`, `/metrics`, `/healthz` and `/readyz`."""
