"""One operation on the directory, and the two ways to have it carried out.

    a command ─▶ Administration.do(OPERATION, …) ─┬─▶ here:  the use case, on the directory of this machine
                                                  └─▶ there: a request to a relay's Management API, its answer read

Law: what can be known to be wrong without the relay is refused before it is asked, in the same words.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from gatepost.admin.directory.connector_use import SeenUse
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.routes import Route
from gatepost.admin.directory.send_connectors import CredentialCheck
from gatepost.admin.directory.verification import TxtLookup
from gatepost.errors import AlreadyExists
from gatepost.tenancy.fields import Record
from gatepost.tenancy.notation import object_name

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)

NEW: Final = {"If-None-Match": "*"}
"""A request that makes something, and changes nothing that is there: a 412 means that it exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What a use case on this machine needs."""

    editor: DirectoryEditor
    check: CredentialCheck
    hostname: str
    lookup: TxtLookup
    every_name_server: TxtLookup
    """Says that a record is there only where every name server of its zone shows it."""
    source_servers: list[Record]
    seen: SeenUse

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def do(self, operation: "Operation[T]", **asked: Any) -> T:
        return operation.here(self, **asked)


class Answer(Protocol):
    @property
    def body(self) -> Any: ...

    @property
    def etag(self) -> str | None: ...


class Relay(Protocol):
    """The Management API of a relay elsewhere. Raises `Refused` and `StoreError` as a use case here would."""

    beyond_limits: bool

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`AlreadyExists` where `headers` are `NEW` and it exists."""

    def read(self, path: str) -> Any: ...

    def every(self, path: str) -> Iterator[Any]:
        """The items of all pages."""

    @property
    def tenant(self) -> str | None:
        """Whose the token is; None: the operator's."""

    @property
    def who(self) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[Result]):
    """Either is called with what is asked for by name; it raises `Refused` or `StoreError`, or has done it all."""

    here: Callable[..., Result]
    there: Callable[..., Result]


class Administration(Protocol):
    """This machine's directory, or a relay elsewhere."""

    def do(self, operation: Operation[T], **asked: Any) -> T: ...


# --- requests ---------------------------------------------------------------------------------------------------------


def get(path: Route, read: Callable[[Any], T]) -> Callable[..., T]:
    return lambda relay, **asked: read(relay.read(path(relay, asked)))


def each(path: Route, read: Callable[[Any], T]) -> Callable[..., list[T]]:
    return lambda relay, **asked: list(map(read, relay.every(path(relay, asked))))


def send(method: str, path: Route, body: Mapping[str, Any], read: Callable[[Any], T]) -> Callable[..., T]:
    return lambda relay, **asked: read(relay.ask(method, path(relay, asked), body).body)


def delete(path: Route, read: Callable[[Any], T]) -> Callable[..., T]:
    """What is removed, as it was."""

    def there(relay: Relay, **asked: Any) -> T:
        found = read(relay.read(path(relay, asked)))
        relay.ask("DELETE", path(relay, asked))
        return found

    return there


def make(
    path: Route,
    body: tuple[str, ...],
    read: Callable[[Any], T],
    exists: Callable[..., AlreadyExists],
    *,
    kind: str | None = None,
) -> Callable[..., T]:
    """Something new; `kind`: what `name` must be the name of."""

    def there(relay: Relay, **asked: Any) -> T:
        if kind:
            object_name(asked["name"], kind)
        try:
            return read(relay.ask("PUT", path(relay, asked), {name: asked[name] for name in body}, NEW).body)
        except AlreadyExists:
            raise exists(**{name: asked[name] for name in ("tenant", "name") if name in asked}) from None

    return there


def unchanged(answer: Answer) -> dict[str, str]:
    """A change is made to what was read, or not at all."""
    return {"If-Match": answer.etag} if answer.etag else {}
