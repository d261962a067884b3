"""What commands with `--server` ask of a relay elsewhere; `test_remote_commands` asks a real one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.admin.signing import operations
from gatepost.errors import BadRequest, NotAllowed, NotFound
from gatepost.tenancy.record import signing_key_shown
from gatepost.tenancy.signing_key import Algorithm, KeyState, SigningKey

KEY = SigningKey(
    tenant="contoso",
    domain="contoso.com",
    selector="s1",
    algorithm=Algorithm.RSA_2048,
    public_key="AAAA",
    state=KeyState.PENDING,
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)
PATH = "/v1/tenants/contoso/domains/contoso.com/signing-keys"


@dataclass
class Relay:
    """Has these keys, and answers each request with the first."""

    keys: list[SigningKey]
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    answer: Any = None
    tenant: str | None = None
    beyond_limits: bool = False
    who: Any = None

    @dataclass
    class Reply:
        body: Any
        etag: str | None = None

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        self.asked.append((method, path, body))
        return Relay.Reply(self.answer or signing_key_shown(self.keys[0]))

    def read(self, path: str) -> Any:
        return self.ask("GET", path).body

    def every(self, path: str) -> Iterator[Any]:
        assert path == "/v1/tenants/contoso/signing-keys"
        return map(signing_key_shown, self.keys)


def test_a_new_key_gets_the_next_selector_of_the_month() -> None:
    month = f"gp{datetime.now(UTC):%Y%m}"
    relay = Relay([replace(KEY, selector=month), replace(KEY, domain="other.com", selector=f"{month}a")])
    operations.ADD_KEY.there(
        relay,
        tenant="contoso",
        domain="Contoso.com",
        selector=None,
        algorithm="ed25519",
        pem=(b"-----BEGIN", "key.pem"),
        rotate_days=30,
    )
    body = {"algorithm": "ed25519", "private_key": "-----BEGIN", "rotate_days": 30}
    assert relay.asked == [("PUT", f"{PATH}/{month}a", body)]


def test_the_key_that_is_meant_is_found_before_anything_is_asked() -> None:
    active = replace(KEY, selector="s2", state=KeyState.ACTIVE)
    relay = Relay([KEY, active])
    asked = {"tenant": "contoso", "domain": "contoso.com", "selector": None}
    relay.answer = {"key": signing_key_shown(KEY), "stopped": ["s2"]}
    activated = operations.ACTIVATE_KEY.there(relay, **asked)
    assert activated == (KEY, [active])
    relay.answer = signing_key_shown(active)
    assert operations.RETIRE_KEY.there(relay, **asked) == (active, True)
    assert operations.REMOVE_KEY.there(relay, **asked) == KEY
    assert [(method, path) for method, path, _ in relay.asked] == [
        ("POST", f"{PATH}/s1/activation"),
        ("DELETE", f"{PATH}/s2/activation"),
        ("DELETE", f"{PATH}/s1"),
    ]


def test_each_record_that_may_be_needed_is_looked_for() -> None:
    relay = Relay([KEY, replace(KEY, selector="old", state=KeyState.RETIRED)], answer={"why_not": "gone"})
    checked = operations.CHECK_KEYS.there(relay, tenant="contoso", domain="contoso.com", selector=None)
    assert [(each.key.selector, each.why_not) for each in checked] == [("s1", "gone")]


def test_what_is_wrong_without_the_relay_is_refused_before_it_is_asked() -> None:
    relay = Relay([KEY])
    with pytest.raises(NotFound, match="has no signing key"):
        operations.KEYS_OF_DOMAIN.there(relay, tenant="contoso", domain="x.contoso.com", selector=None)
    with pytest.raises(BadRequest, match="algorithm"):
        operations.ADD_KEY.there(
            relay, tenant="contoso", domain="contoso.com", selector=None, algorithm="x", pem=None, rotate_days=None
        )
    with pytest.raises(NotAllowed, match="on the relay itself"):
        operations.KEYS.there(relay, tenant="-")
    assert relay.asked == []
