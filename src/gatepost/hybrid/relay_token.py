"""The token with which the wizard speaks to the relay: its file, and until when it counts.

The end is noted whenever the wizard asks the relay, and read by the forecast.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.journal import private_folder, write_private


def read_token(file: Path) -> str:
    """Raises `UnusableFile`."""
    try:
        token = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UnusableFile(
            f"token file {file} cannot be read: {why}; the relay's operator makes one with: gatepost token add "
            "--tenant T --out FILE"
        ) from None
    if not token or len(token.split()) != 1:
        raise UnusableFile(f"token file {file} does not hold one token; it is what gatepost token add --out wrote")
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedToken:
    id: str
    expires_at: datetime | None


def note_token(folder: Path, id: str, expires_at: str | None) -> None:
    """`expires_at` as the relay writes it."""
    private_folder(folder)
    write_private(_file(folder), json.dumps({"id": id, "expires_at": expires_at}))


def noted_token(folder: Path) -> NotedToken | None:
    """None: nothing is noted here, or nothing that can be read."""
    try:
        found = json.loads(_file(folder).read_text("ascii"))
        ends = found["expires_at"]
        return NotedToken(id=str(found["id"]), expires_at=datetime.fromisoformat(ends) if ends else None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(folder: Path) -> Path:
    return folder / "token.json"
