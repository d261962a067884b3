"""Signed cookies for what begins in a browser and ends in it: a sign-in elsewhere, a question to a passkey.

Laws: a ticket is for one purpose, for ten minutes, and opens once; every console of the directory takes it, also after
a restart; each has a cookie of its own, so that two tabs do not meet; what nobody else may know is derived from the
ticket by the key, and does not stand in it.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from starlette.responses import Response

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.errors import NotAllowed

LIFETIME: Final = timedelta(minutes=10)
_LONGEST: Final = 3500
"""A cookie has 4096 octets with its name and attributes (RFC 6265 6.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    purpose: str
    id: str
    about: Mapping[str, str]
    key: bytes = field(repr=False)

    def derived(self, what: str) -> bytes:
        return hmac.digest(self.key, f"{what} {self.purpose} {self.id}".encode(), sha256)

    def derived_text(self, what: str) -> str:
        return urlsafe_b64encode(self.derived(what)).decode().rstrip("=")

    def give(self, response: Response, at: datetime) -> None:
        """The browser keeps it."""
        said = {"purpose": self.purpose, "id": self.id, "at": at.timestamp(), "about": dict(self.about)}
        text = urlsafe_b64encode(json.dumps(said).encode()).decode()
        signed = f"{text}.{_signature(self.key, text)}"
        if len(signed) > _LONGEST:
            raise NotAllowed("the address of the page is too long", next_step="sign in, and open the page again")
        response.set_cookie(
            _cookie(self.purpose, self.id),
            signed,
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )

    def forget(self, response: Response) -> None:
        response.delete_cookie(_cookie(self.purpose, self.id), path="/", secure=True, httponly=True, samesite="lax")


def new(editor: DirectoryEditor, purpose: str, **about: str) -> Ticket:
    return Ticket(purpose=purpose, id=secrets.token_urlsafe(24), about=about, key=editor.people.key())


def opened(editor: DirectoryEditor, cookies: Mapping[str, str], purpose: str, id: str, at: datetime) -> Ticket:
    """The ticket of that id, which is used up by that. Raises `NotAllowed`."""
    key = editor.people.key()
    text, _, signature = cookies.get(_cookie(purpose, id), "").rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(key, text).encode()):
        raise _refusal()
    said = json.loads(urlsafe_b64decode(text))
    age = at - datetime.fromtimestamp(said["at"], UTC)
    if (said["purpose"], said["id"]) != (purpose, id) or not timedelta() <= age < LIFETIME:
        raise _refusal()
    if not editor.people.use_ticket(id, at):
        raise _refusal()
    return Ticket(purpose=purpose, id=id, about=said["about"], key=key)


def _cookie(purpose: str, id: str) -> str:
    return f"__Host-gatepost-{purpose}-{sha256(id.encode()).hexdigest()[:16]}"


def _signature(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), sha256).hexdigest()


def _refusal() -> NotAllowed:
    says = "this sign-in was not begun in this browser, took longer than 10 minutes, or was finished already"
    return NotAllowed(says, next_step="begin again")
