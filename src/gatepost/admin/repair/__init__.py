"""From a refused session to the connector that admits it: who it could be, what to propose, what a change would do."""
