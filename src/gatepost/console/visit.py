"""One request of a person: who they are, what they ask for, and what their form says."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, NoReturn

from gatepost.admin.people.recognition import IdentityProvider
from gatepost.admin.people.signing_in import Entered
from gatepost.config import Config
from gatepost.console.attempts import Attempts
from gatepost.https.caller import AnyCaller
from gatepost.https.problem import Problem

COOKIE: Final = "__Host-gatepost"
"""Sent to this host alone, over TLS alone, for every path (RFC 6265, and its revision 4.1.3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor(AnyCaller):
    """A person who is signed in."""

    entered: Entered
    csrf: str

    @property
    def name(self) -> str:
        return self.entered.person.name

    @property
    def may_write(self) -> bool:
        return self.entered.person.role.may_write

    @property
    def is_admin(self) -> bool:
        return (self.is_operator and not self.sees_trace_only) or self.may_write

    @property
    def sees_trace_only(self) -> bool:
        return self.entered.person.role.sees_trace_only


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    config: Config
    attempts: Attempts
    providers: Mapping[str, IdentityProvider]
    address: str
    path: str
    query: Mapping[str, str]
    part: Mapping[str, str]
    """Of the path."""
    form: Mapping[str, str]
    cookies: Mapping[str, str]
    visitor: Visitor | None = None

    @property
    def person(self) -> Visitor:
        assert self.visitor is not None, "the gate lets nobody else in"
        return self.visitor

    def with_request(self, part: Mapping[str, str], form: Mapping[str, str]) -> "Visit":
        return replace(self, part=part, form=form)

    def said(self, name: str) -> str | None:
        """Of the query; what is left empty in a form is not said."""
        return self.query.get(name, "").replace("\r\n", "\n").strip() or None


def csrf_of(secret: str) -> str:
    """Shows that a form comes from a page of the session; the secret cannot be had from it."""
    return hmac.new(secret.encode(), b"csrf", sha256).hexdigest()


def not_found() -> NoReturn:
    raise Problem(404, "not-found", "this page does not exist")
