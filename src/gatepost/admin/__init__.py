"""Use cases shared by the faces. They see interfaces, never adapters."""
