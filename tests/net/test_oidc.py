"""A provider is believed where everything holds; whatever does not is one line, and ends."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import pytest
from joserfc.jwk import OctKey

from gatepost.net import oidc
from gatepost.net.oidc import OidcProvider, is_usable_address
from gatepost.tenancy.person import Identity
from gatepost.tenancy.provider import Assertion, Provider, ProviderFault
from net.lying_provider import EC_KEY, KEY, OTHER_KEY, REDIRECT, VERIFIER, LyingProvider, lying_provider


@pytest.fixture
def lying() -> Iterator[LyingProvider]:
    with lying_provider() as provider:
        yield provider


def came_back(lying: LyingProvider, *, issuer: str | None = None, **said: Any) -> Assertion:
    adapter = OidcProvider(lying.provider(**said))
    lying.authorized(adapter.address(REDIRECT, "state", "nonce-1", VERIFIER))
    return adapter.assertion("code", issuer, REDIRECT, "nonce-1", VERIFIER)


def test_the_browser_is_sent_with_state_nonce_and_the_challenge_of_the_verifier(lying: LyingProvider) -> None:
    address = OidcProvider(lying.provider()).address(REDIRECT, "the-state", "the-nonce", VERIFIER)
    asked = lying.authorized(address)
    assert address.startswith(f"{lying.issuer}/authorize?")
    # RFC 7636 4.2
    assert asked["code_challenge"] == urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert (asked["state"], asked["nonce"], asked["redirect_uri"]) == ("the-state", "the-nonce", REDIRECT)
    assert VERIFIER not in address and "openid" in asked["scope"].split()


def test_who_comes_back_is_known_exactly_as_the_provider_writes_them(lying: LyingProvider) -> None:
    found = came_back(lying)
    assert found.identity == Identity(lying.issuer, "aBc-1")
    assert (found.preferred_name, found.groups) == ("Ann", None)
    assert lying.forms[0]["code_verifier"] == VERIFIER and lying.forms[0]["client_id"] == "gatepost"


def test_groups_are_none_where_nothing_is_said_of_them(lying: LyingProvider) -> None:
    assert came_back(lying, groups_claim="groups").groups is None
    for claim, groups in (([], ()), (["a", 1, "b"], ("a", "b")), ("a", ("a",)), ({"a": 1}, None), (True, None)):
        lying.claims = {"groups": claim}
        assert came_back(lying, groups_claim="groups").groups == groups
        assert came_back(lying).groups is None


@pytest.mark.parametrize("methods", [None, ["client_secret_basic"], ["client_secret_post"]])
def test_the_secret_goes_as_the_provider_wants_it(
    lying: LyingProvider, tmp_path: Path, methods: list[str] | None
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s:e c%\n")
    lying.discovery = {"token_endpoint_auth_methods_supported": methods} if methods else {}
    came_back(lying, client_secret_file=secret)
    form = lying.forms[0]
    if methods == ["client_secret_post"]:
        assert form["client_secret"] == "s:e c%" and not form["authorization"]
    else:
        # "gatepost:s%3Ae%20c%25"
        assert form["authorization"] == "Basic Z2F0ZXBvc3Q6cyUzQWUlMjBjJTI1" and "client_secret" not in form


def test_a_secret_that_is_not_there_is_one_line(lying: LyingProvider, tmp_path: Path) -> None:
    with pytest.raises(ProviderFault, match=r"client_secret_file .* cannot be read"):
        came_back(lying, client_secret_file=tmp_path / "missing")


def test_a_clock_that_is_a_minute_off_is_borne_and_more_is_not(lying: LyingProvider) -> None:
    now = int(time.time())
    for ahead in (-55, 55):
        lying.claims = {"iat": now + ahead, "exp": now + ahead + (10 if ahead < 0 else 300), "nbf": now + ahead}
        assert came_back(lying)
    for claims in ({"exp": now - 70}, {"iat": now + 90}, {"nbf": now + 90}):
        lying.claims = claims
        with pytest.raises(ProviderFault, match="does not hold"):
            came_back(lying)


def _signed(key: Any, algorithm: str) -> Callable[[LyingProvider], object]:
    def lie(lying: LyingProvider) -> None:
        lying.key, lying.algorithm = key, algorithm

    return lie


def _hs256_with_the_public_key(lying: LyingProvider) -> None:
    lying.key, lying.algorithm = KEY.as_pem(private=False), "HS256"


def _own_shared_key(lying: LyingProvider) -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    lying.keys, lying.key, lying.algorithm = [KEY, shared], shared, "HS256"


LIES: dict[str, tuple[Callable[[LyingProvider], object], str]] = {
    "another issuer in the token": (lambda p: p.claims.update(iss="http://127.0.0.1:1"), "does not hold .*iss"),
    "issuer with a slash": (lambda p: p.claims.update(iss=f"{p.issuer}/"), "does not hold .*iss"),
    "no issuer": (lambda p: p.claims.update(iss=None), "does not hold .*iss"),
    "another audience": (lambda p: p.claims.update(aud="somebody-else"), "does not hold .*aud"),
    "several audiences without azp": (lambda p: p.claims.update(aud=["gatepost", "x"]), "does not hold .*azp"),
    "azp of another": (lambda p: p.claims.update(aud=["gatepost", "x"], azp="x"), "does not hold .*azp"),
    "no audience": (lambda p: p.claims.update(aud=None), "does not hold .*aud"),
    "another nonce": (lambda p: p.claims.update(nonce="nonce-2"), "does not hold .*nonce"),
    "no nonce": (lambda p: p.claims.update(nonce=None), "does not hold .*nonce"),
    "no end": (lambda p: p.claims.update(exp=None), "does not hold .*exp"),
    "an end that is no time": (lambda p: p.claims.update(exp="tomorrow"), "does not hold"),
    "no subject": (lambda p: p.claims.update(sub=None), "does not hold .*sub"),
    "an empty subject": (lambda p: p.claims.update(sub=""), "subject|sub"),
    "a subject that is a number": (lambda p: p.claims.update(sub=7), "subject|sub"),
    "a subject with a line break": (lambda p: p.claims.update(sub="a\nb"), "no usable subject"),
    "a subject without end": (lambda p: p.claims.update(sub="x" * 256), "no usable subject"),
    "alg none": (_signed(KEY, "none"), "signature"),
    "HS256 with the public key": (_hs256_with_the_public_key, "signature"),
    "HS256 with a key that it publishes": (_own_shared_key, "signature"),
    "another key of the same id": (_signed(OTHER_KEY, "RS256"), "signature"),
    "a key that it does not publish": (_signed(EC_KEY, "ES256"), "signature"),
    "no ID token": (lambda p: p.token.update(id_token=None), "no ID token"),
    "an ID token that is none": (lambda p: p.token.update(id_token="a.b"), "signature"),
    "at_hash of another token": (lambda p: p.claims.update(at_hash="x" * 22), "does not hold .*at_hash"),
    "discovery of another issuer": (lambda p: p.discovery.update(issuer="https://evil.example"), "another issuer"),
    "discovery without keys": (lambda p: p.discovery.update(jwks_uri=None), "no usable jwks_uri"),
    "token endpoint in a file": (lambda p: p.discovery.update(token_endpoint="file:///etc/passwd"), "token_endpoint"),
    "token endpoint without TLS": (
        lambda p: p.discovery.update(token_endpoint="http://192.0.2.1/t"),
        "no usable token_endpoint",
    ),
    "script to send the browser to": (
        lambda p: p.discovery.update(authorization_endpoint="javascript:alert(1)"),
        "no usable authorization_endpoint",
    ),
    "no S256": (lambda p: p.discovery.update(code_challenge_methods_supported=["plain"]), "PKCE"),
    "keys that are none": (lambda p: p.answers.update({"/keys": (200, {}, b'{"keys": [{"kty": "RSA"}]}')}), "keys"),
    "no keys": (lambda p: p.answers.update({"/keys": (200, {}, b'{"keys": 7}')}), "keys"),
    "a redirect": (
        lambda p: p.answers.update({"/token": (307, {"Location": f"{p.issuer}/keys"}, b"")}),
        "the token endpoint answered 307",
    ),
    "a page for people": (lambda p: p.answers.update({"/token": (200, {}, b"<html>")}), "no JSON object"),
    "a list": (lambda p: p.answers.update({"/token": (200, {}, b"[]")}), "no JSON object"),
    "nesting without end": (lambda p: p.answers.update({"/token": (200, {}, b"[" * 100_000)}), "no JSON object"),
    "too much": (lambda p: p.answers.update({"/token": (200, {}, b" " * 300_000)}), "more than 256 KiB"),
    "an error": (
        lambda p: p.answers.update({"/token": (400, {}, b'{"error": "invalid_grant"}')}),
        r"the token endpoint answered 400 \(invalid_grant\)",
    ),
    "hostile text in an error": (
        lambda p: p.answers.update({"/token": (400, {}, b'{"error": "\\u001b[31m\\n<script>"}')}),
        "answered 400",
    ),
    "no such page": (
        lambda p: p.answers.update({"/.well-known/openid-configuration": (404, {}, b"")}),
        "discovery answered 404",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_one_line_that_says_which(lying: LyingProvider, lie: str) -> None:
    tell, says = LIES[lie]
    tell(lying)
    with pytest.raises(ProviderFault, match=says) as fault:
        came_back(lying)
    line = str(fault.value)
    assert line.startswith("provider acme: ") and "password" in line
    assert line.isprintable() and len(line) < 400


def test_the_answer_names_its_issuer_where_the_provider_says_so(lying: LyingProvider) -> None:
    with pytest.raises(ProviderFault, match=r"comes from https://evil\.example"):
        came_back(lying, issuer="https://evil.example")
    assert came_back(lying, issuer=lying.issuer)
    lying.discovery = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(ProviderFault, match="does not name its issuer"):
        came_back(lying)


def test_a_provider_that_is_down_is_one_line(lying: LyingProvider) -> None:
    lying.server.shutdown()
    lying.server.server_close()
    with pytest.raises(ProviderFault, match="cannot be reached"):
        came_back(lying)


def test_a_provider_that_does_not_answer_is_given_up(lying: LyingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_PATIENCE_S", 0.3)
    lying.silent.clear()
    with pytest.raises(ProviderFault, match="did not answer within"):
        came_back(lying)


def test_a_name_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_PATIENCE_S", 0.3)
    let_go, ended = Event(), Event()

    def hang(*_: Any, **__: Any) -> NoReturn:
        let_go.wait(60)
        ended.set()
        raise OSError("no answer")

    monkeypatch.setattr("socket.getaddrinfo", hang)
    provider = Provider(name="acme", issuer="https://login.example", client_id="x")
    try:
        with pytest.raises(ProviderFault, match="did not answer within"):
            OidcProvider(provider).address(REDIRECT, "s", "n", VERIFIER)
        assert not ended.is_set()
    finally:
        let_go.set()


def test_one_key_that_cannot_be_read_spoils_no_other(lying: LyingProvider) -> None:
    keys = [{"kty": "RSA", "kid": "x"}, {"kty": "OKP", "crv": "new"}, 7, KEY.as_dict(private=False)]
    lying.answers["/keys"] = (200, {}, json.dumps({"keys": keys}).encode())
    assert came_back(lying).identity.subject == "aBc-1"


def test_many_who_wait_for_a_slow_provider_take_no_more_threads(lying: LyingProvider) -> None:
    adapter = OidcProvider(lying.provider())
    while adapter._few.acquire(blocking=False):
        pass
    with pytest.raises(ProviderFault, match="too many sign-ins"):
        adapter.address(REDIRECT, "s", "n", VERIFIER)
    adapter._few.release()
    assert adapter.address(REDIRECT, "s", "n", VERIFIER)


def test_what_is_published_is_fetched_once_and_keys_again_when_one_is_new(
    lying: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = OidcProvider(lying.provider())

    def come_back() -> Assertion:
        lying.authorized(adapter.address(REDIRECT, "s", "n", VERIFIER))
        return adapter.assertion("code", None, REDIRECT, "n", VERIFIER)

    come_back(), come_back()
    assert lying.asked == ["/.well-known/openid-configuration", "/token", "/keys", "/token"]
    lying.keys, lying.key, lying.algorithm = [KEY, EC_KEY], EC_KEY, "ES256"
    with pytest.raises(ProviderFault, match="signature"):
        come_back()
    assert lying.asked.count("/keys") == 1, "not again within a minute, whatever tokens name"
    monkeypatch.setattr(oidc, "_KEYS_AGAIN_AFTER_S", 0.0)
    assert come_back() and lying.asked.count("/keys") == 2


def test_a_provider_outside_leads_to_nothing_inside(lying: LyingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"login.example": ["8.8.8.8"], "inside.example": ["10.0.0.1"], "mapped.example": ["::ffff:10.0.0.1"]}

    async def addresses(host: str) -> list[Any]:
        return [oidc.ip_address(each) for each in places[host]]

    monkeypatch.setattr(oidc, "_addresses", addresses)

    def leads(address: str, issuer: str) -> bool:
        return bool(oidc.asyncio.run(oidc.leads_inside(address, issuer)))

    assert leads("https://inside.example/keys", "https://login.example")
    assert leads("https://mapped.example/keys", "https://login.example")
    assert not leads("https://login.example/keys", "https://login.example")
    assert not leads("https://login.example/keys", "https://inside.example")
    assert not leads("https://inside.example/keys", "https://inside.example/realm")


@pytest.mark.parametrize(
    ("address", "is_usable"),
    [
        ("https://login.example/token", True),
        ("http://login.example/token", False),
        ("http://127.0.0.1:1/token", False),
        ("https://a:b@login.example/", False),
        ("https:///token", False),
        ("https://login.example:port/", False),
        ("https://[::1/", False),
        ("https://login.example/#x", False),
        ("ftp://login.example/", False),
        ("", False),
    ],
)
def test_an_address_is_by_tls_and_plain(address: str, is_usable: bool) -> None:
    assert is_usable_address(address, "https://login.example") is is_usable
    assert is_usable_address("http://localhost:1/", "http://127.0.0.1:2")
