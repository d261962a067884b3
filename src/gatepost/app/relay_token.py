"""Until when an edge's token counts at its relay: noted whenever the wizard asks there, read by the forecast."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gatepost.config import Config
from gatepost.hybrid.journal import private_folder, write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedToken:
    id: str
    expires_at: datetime | None


def note_token(config: Config, id: str, expires_at: str | None) -> None:
    """`expires_at` as the relay writes it."""
    file = _file(config)
    private_folder(file.parent)
    write_private(file, json.dumps({"id": id, "expires_at": expires_at}))


def noted_token(config: Config) -> NotedToken | None:
    """None: nothing is noted here, or nothing that can be read."""
    try:
        found = json.loads(_file(config).read_text("ascii"))
        ends = found["expires_at"]
        return NotedToken(id=str(found["id"]), expires_at=datetime.fromisoformat(ends) if ends else None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(config: Config) -> Path:
    return config.data / "hybrid" / "token.json"
