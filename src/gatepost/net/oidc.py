"""An identity provider asked by OpenID Connect: authorization code with PKCE; nothing is believed that is not proven.

    discovery ─▶ the address that the browser is sent to ─▶ a code ─▶ a token ─▶ signature, issuer, audience, times

Laws: whatever a provider does, or does not do, ends within `_PATIENCE_S` and in `ProviderFault`, one line; a redirect
is not followed, and a provider outside leads to nothing inside; who somebody is, is `iss` and `sub` exactly as written.
"""

import asyncio
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import SOCK_STREAM
from threading import BoundedSemaphore, Lock
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import extract_compact

from gatepost.mail.visible import visible
from gatepost.tenancy.person import Identity
from gatepost.tenancy.provider import Assertion, Provider, ProviderFault

CLOCK_SKEW_S: Final = 60
_PATIENCE_S: Final = 10.0
_LARGEST: Final = 256 * 1024
_KNOWN_FOR_S: Final = 3600.0
_KEYS_AGAIN_AFTER_S: Final = 60.0
_AT_ONCE: Final = 8
_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""None that is keyed with something a provider publishes or shares, and not `none`."""
_KEY_TYPES: Final = ("RSA", "EC", "OKP")
_LONGEST_SUBJECT: Final = 255
"""OpenID Connect Core 2."""

_T = TypeVar("_T")
Address = IPv4Address | IPv6Address


@dataclass(slots=True)
class _Known:
    """What was fetched, and when, in seconds of the monotonic clock."""

    said: Mapping[str, Any]
    at: float


@dataclass(slots=True)
class OidcProvider:
    """`admin.people.recognition.IdentityProvider`; for several threads."""

    provider: Provider
    clock: Callable[[], float] = time.time
    _metadata: _Known | None = None
    _keys: _Known | None = None
    _lock: Lock = field(default_factory=Lock)
    _few: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_AT_ONCE))

    def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent. Raises `ProviderFault`."""
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = self._ask(self._discovered)["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def assertion(self, code: str, issuer: str | None, redirect_uri: str, nonce: str, verifier: str) -> Assertion:
        """What the provider says of whoever came back with `code`. `issuer`: as the answer named it (RFC 9207).
        Raises `ProviderFault`."""
        if issuer is not None and issuer != self.provider.issuer:
            raise self._fault(f"the answer comes from {_short(issuer)}")

        async def redeem() -> Assertion:
            metadata = await self._discovered()
            if issuer is None and metadata.get("authorization_response_iss_parameter_supported") is True:
                raise self._fault("the answer does not name its issuer")
            token = await self._token(metadata, code, redirect_uri, verifier)
            header, claims = await self._verified(metadata, token)
            return self._believed(header, claims, nonce, token)

        return self._ask(redeem)

    def _ask(self, what: Callable[[], Awaitable[_T]]) -> _T:
        if not self._few.acquire(blocking=False):
            raise self._fault("too many sign-ins wait for it")
        try:
            return _in_a_loop(what)
        except TimeoutError:
            raise self._fault(f"it did not answer within {_PATIENCE_S:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._fault(f"it cannot be reached: {visible(str(error)) or type(error).__name__}") from None
        finally:
            self._few.release()

    # What it publishes

    async def _discovered(self) -> Mapping[str, Any]:
        known = self._metadata
        if known is None or time.monotonic() - known.at > _KNOWN_FOR_S:
            address = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            known = _Known(self._checked(await self._fetched("discovery", address)), time.monotonic())
            with self._lock:
                self._metadata = known
        return known.said

    def _checked(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        if said.get("issuer") != self.provider.issuer:
            raise self._fault(f"discovery names another issuer, {_short(said.get('issuer'))}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(said.get(name), str) or not is_usable_address(said[name], self.provider.issuer):
                raise self._fault(f"discovery has no usable {name}")
        methods = said.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise self._fault("it does not support PKCE with S256")
        return said

    async def _signing_keys(self, metadata: Mapping[str, Any], *, newer: bool) -> KeySet:
        known = self._keys
        age = None if known is None else time.monotonic() - known.at
        if known is None or age is None or age > (_KEYS_AGAIN_AFTER_S if newer else _KNOWN_FOR_S):
            known = _Known(await self._fetched("keys", metadata["jwks_uri"]), time.monotonic())
            with self._lock:
                self._keys = known
        keys = known.said.get("keys")
        readable = [key for each in (keys if isinstance(keys, list) else []) if (key := _signing_key(each))]
        if not readable:
            raise self._fault("none of its keys can be read")
        return KeySet(readable)

    # The token

    async def _token(
        self, metadata: Mapping[str, Any], code: str, redirect_uri: str, verifier: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self.provider.client_id,
            "code_verifier": verifier,
        }
        headers = {}
        if (secret := self._secret()) is not None:
            methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" not in methods and "client_secret_post" in methods:
                form["client_secret"] = secret
            else:
                # RFC 6749 2.3.1: both are encoded as in a form first.
                pair = f"{quote(self.provider.client_id, safe='')}:{quote(secret, safe='')}"
                headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return await self._fetched("the token endpoint", metadata["token_endpoint"], form=form, headers=headers)

    def _secret(self) -> str | None:
        file = self.provider.client_secret_file
        try:
            return None if file is None else _read_secret(file)
        except (OSError, UnicodeDecodeError):
            raise self._fault(f"client_secret_file {file} cannot be read") from None

    async def _verified(
        self, metadata: Mapping[str, Any], token: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of the ID token, once its signature is that of a published key."""
        text = token.get("id_token")
        if not isinstance(text, str):
            raise self._fault("it sent no ID token")
        keys = await self._signing_keys(metadata, newer=False)
        if _key_id(text) not in {None, *(each.kid for each in keys)}:
            keys = await self._signing_keys(metadata, newer=True)
        try:
            found = jwt.decode(text, keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._fault(f"the signature of its ID token does not hold ({_short(error)})") from None
        return dict(found.header), dict(found.claims)

    def _believed(
        self, header: dict[str, Any], claims: dict[str, Any], nonce: str, token: Mapping[str, Any]
    ) -> Assertion:
        provider = self.provider
        believed = CodeIDToken(
            claims,
            header,
            {
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            {"nonce": nonce, "client_id": provider.client_id, "access_token": token.get("access_token")},
        )
        try:
            believed.validate(now=int(self.clock()), leeway=CLOCK_SKEW_S)
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise self._fault(f"its ID token does not hold ({_short(error)})") from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise self._fault("its ID token has no usable subject")
        return Assertion(
            identity=Identity(provider.issuer, subject),
            preferred_name=_text(claims.get("preferred_username")) or _text(claims.get("email")),
            groups=_groups(claims.get(provider.groups_claim)) if provider.groups_claim else None,
        )

    # HTTP

    async def _fetched(
        self,
        what: str,
        address: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """The JSON object that is there."""
        if await leads_inside(address, self.provider.issuer):
            raise self._fault(f"{what} would lead to an internal address")
        async with (
            httpx.AsyncClient(verify=_trust(), trust_env=False, follow_redirects=False) as client,
            client.stream(
                "GET" if form is None else "POST",
                address,
                data=form,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})},
                timeout=_PATIENCE_S,
            ) as answer,
        ):
            body = b""
            async for part in answer.aiter_raw():
                body += part
                if len(body) > _LARGEST:
                    raise self._fault(f"{what} answered more than {_LARGEST // 1024} KiB")
        said = _json(body)
        if answer.status_code != 200:
            named = f" ({_short(said['error'])})" if said and isinstance(said.get("error"), str) else ""
            raise self._fault(f"{what} answered {answer.status_code}{named}")
        if said is None:
            raise self._fault(f"{what} answered no JSON object")
        return said

    def _fault(self, says: str) -> ProviderFault:
        return ProviderFault(self.provider.name, says)


@cache
def _trust() -> ssl.SSLContext:
    """The system's roots; reading them takes longer than asking."""
    return ssl.create_default_context()


def _in_a_loop(what: Callable[[], Awaitable[_T]]) -> _T:
    """As `asyncio.run`, which would wait for a look-up of a name that hangs in a thread, however long it does."""
    loop = asyncio.SelectorEventLoop()
    try:
        return loop.run_until_complete(_within_patience(what))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _within_patience(what: Callable[[], Awaitable[_T]]) -> _T:
    async with asyncio.timeout(_PATIENCE_S):
        return await what()


def is_usable_address(address: str, issuer: str) -> bool:
    """By TLS; without only on this machine, and only where the issuer is on this machine too."""
    try:
        found, home = urlsplit(address), urlsplit(issuer)
        _ = found.port
    except ValueError:
        return False
    if not found.hostname or found.username is not None or found.fragment or not address.isprintable():
        return False
    if found.scheme == "https":
        return True
    return found.scheme == "http" and _is_loopback(found.hostname) and _is_loopback(home.hostname or "")


async def leads_inside(address: str, issuer: str) -> bool:
    """Whether a provider outside names a host inside. One inside may: it is the operator's own."""
    host, home = urlsplit(address).hostname or "", urlsplit(issuer).hostname or ""
    if host == home:
        return False
    return not all(map(_is_outside, await _addresses(host))) and all(map(_is_outside, await _addresses(home)))


async def _addresses(host: str) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=SOCK_STREAM)
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _is_outside(address: Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_global


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_secret(file: Path) -> str:
    return file.read_text("utf-8").strip()


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _signing_key(said: object) -> Key | None:
    """None: it is no key for signatures, or of a kind that cannot be read, and the others count."""
    if not isinstance(said, dict) or said.get("kty") not in _KEY_TYPES or said.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(said)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _key_id(token: str) -> str | None:
    """Of the header, before anything is believed."""
    try:
        found = extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _groups(claim: object) -> tuple[str, ...] | None:
    """None: the provider says nothing of groups, which is not the same as saying that there are none."""
    if isinstance(claim, str):
        return (claim,)
    return tuple(each for each in claim if isinstance(each, str)) if isinstance(claim, list) else None


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) else None


def _short(said: object) -> str:
    text = visible(str(said))
    return text if len(text) <= 100 else text[:99] + "…"
