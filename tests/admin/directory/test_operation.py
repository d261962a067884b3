"""The requests that an operation makes of a relay elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gatepost.admin.directory.operation import NEW, Answer, delete, each, get, make, send, unchanged
from gatepost.admin.directory.routes import Route
from gatepost.errors import AlreadyExists, BadRequest, NotFound


@dataclass
class Shelf:
    """A relay that keeps what it is sent under its path."""

    things: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    beyond_limits: bool = False
    who: Any = None

    @dataclass
    class Reply:
        body: Any
        etag: str | None = '"1"'

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.asked.append((method, path))
        if method == "PUT" and headers == NEW and path in self.things:
            raise AlreadyExists("in whatever words")
        if method == "DELETE":
            return Shelf.Reply(self.things.pop(path))
        if method in ("PUT", "PATCH"):
            self.things[path] = {**self.things.get(path, {}), **(body or {})}
        if path not in self.things:
            raise NotFound(path)
        return Shelf.Reply(self.things[path])

    def read(self, path: str) -> Any:
        return self.ask("GET", path).body

    def every(self, path: str) -> Iterator[Any]:
        return (thing for place, thing in self.things.items() if place.startswith(f"{path}/"))

    tenant: str | None = None


THING = Route(of_tenant="/v1/tenants/{tenant}/things/{name}")
THINGS = Route("/v1/things", "/v1/tenants/{tenant}/things")


def _exists(tenant: str, name: str) -> AlreadyExists:
    return AlreadyExists(f"{tenant} has a thing {name} already")


MAKE = make(THING, ("colour",), dict, _exists, kind="thing")


def test_something_new_is_made_once_and_the_refusal_is_ours_whatever_the_relay_said() -> None:
    shelf = Shelf()
    assert MAKE(shelf, tenant="contoso", name="a", colour="red") == {"colour": "red"}
    with pytest.raises(AlreadyExists, match="contoso has a thing a already"):
        MAKE(shelf, tenant="contoso", name="a", colour="blue")
    assert shelf.things == {"/v1/tenants/contoso/things/a": {"colour": "red"}}


def test_a_name_that_cannot_be_is_refused_before_the_relay_is_asked() -> None:
    shelf = Shelf()
    with pytest.raises(BadRequest, match="cannot be the name of a thing"):
        MAKE(shelf, tenant="contoso", name="a/b", colour="red")
    assert shelf.asked == []


def test_what_is_asked_for_is_read_listed_changed_and_removed_as_it_was() -> None:
    shelf = Shelf()
    for tenant in ("contoso", "fabrikam"):
        MAKE(shelf, tenant=tenant, name="a", colour=tenant)
    asked = {"tenant": "contoso", "name": "a"}
    assert get(THING, dict)(shelf, **asked) == {"colour": "contoso"}
    assert each(THINGS, dict)(shelf, tenant="fabrikam") == [{"colour": "fabrikam"}]
    assert send("PATCH", THING, {"enabled": True}, dict)(shelf, **asked) == {"colour": "contoso", "enabled": True}
    assert delete(THING, dict)(shelf, **asked) == {"colour": "contoso", "enabled": True}
    assert list(shelf.things) == ["/v1/tenants/fabrikam/things/a"]


def test_a_change_is_made_to_what_was_read() -> None:
    assert unchanged(Shelf.Reply({}, '"7"')) == {"If-Match": '"7"'}
    assert unchanged(Shelf.Reply({}, None)) == {}
