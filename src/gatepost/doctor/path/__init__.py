"""The path of the mail, joined from the evidence: servers, stores, ends, sessions, and how each value is known."""
