"""The token with which the wizard speaks to the relay: its file, and until when it counts.

The end is noted whenever the wizard asks the relay, and read by the forecast.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.journal import private_folder, write_private
from gatepost.hybrid.ports import RelayApi
from gatepost.tenancy.token import Scope, is_due, is_overdue


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
    created_at: datetime | None = None
    """None: a relay of a version before this one did not say."""
    renewable: bool = False

    def is_due(self, at: datetime) -> bool:
        """Whether it is time to have it renewed."""
        return self._may_be_renewed and is_due(*self._life, at)

    def is_left_alone(self, at: datetime) -> bool:
        """Whether nobody need be told that it ends: it is renewed in time."""
        return self._may_be_renewed and not is_overdue(*self._life, at)

    @property
    def _may_be_renewed(self) -> bool:
        return self.renewable and self.created_at is not None and self.expires_at is not None

    @property
    def _life(self) -> tuple[datetime, datetime]:
        assert self.created_at is not None and self.expires_at is not None
        return self.created_at, self.expires_at


def note_token(folder: Path, who: Mapping[str, Any]) -> NotedToken:
    """`who`: what the relay says of it."""
    noted = {
        "id": str(who["token"]),
        "expires_at": who["expires_at"],
        "created_at": who.get("created_at"),
        "renewable": Scope.RENEW in who["scopes"],
    }
    private_folder(folder)
    write_private(_file(folder), json.dumps(noted))
    return _noted(noted)


def noted_token(folder: Path) -> NotedToken | None:
    """None: nothing is noted here, or nothing that can be read."""
    try:
        return _noted(json.loads(_file(folder).read_text("ascii")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _noted(found: Mapping[str, Any]) -> NotedToken:
    ends, began = found["expires_at"], found.get("created_at")
    return NotedToken(
        id=str(found["id"]),
        expires_at=datetime.fromisoformat(ends) if ends else None,
        created_at=datetime.fromisoformat(began) if began else None,
        renewable=bool(found.get("renewable")),
    )


def renewed_token(folder: Path, api: RelayApi) -> NotedToken:
    """The relay puts its end off. Raises `ApplyError`."""
    return note_token(folder, api.request("POST", "/v1/whoami/renewal").body)


def _file(folder: Path) -> Path:
    return folder / "token.json"
