"""Tokens of the Management API: made, listed, revoked by the operator; looked at by the API with each request."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import limit_of, too_many
from gatepost.admin.directory.lookups import tenant_named
from gatepost.errors import BadRequest, BadToken, ExpiredToken, NotFound, RevokedToken
from gatepost.tenancy.definitions import TOKEN
from gatepost.tenancy.notation import duration_s
from gatepost.tenancy.tenant import Tenant
from gatepost.tenancy.token import Scope, Token, id_and_secret, token_text

_USE_NOTED_EVERY = timedelta(minutes=1)

_NOBODYS_SECRET = sha256(secrets.token_bytes(32)).hexdigest()
"""A token that does not exist is compared with this, and so takes as long as a wrong secret."""


_ANOTHER = "create another: gatepost token add"


def add(
    editor: DirectoryEditor, tenant: str | None, scopes: Sequence[str], expires: str, at: datetime
) -> tuple[Token, str]:
    """The new token, and its text, which cannot be had again. `expires` is a duration, or `never`."""
    secret = secrets.token_urlsafe(32)
    with editor.change():
        owner = None if tenant is None else tenant_named(editor, tenant)
        if owner is not None:
            _must_have_room(editor, owner, at)
        token = Token(
            id=secrets.token_hex(6),
            tenant=None if owner is None else owner.name,
            scopes=frozenset(map(_scope, scopes)) or frozenset({Scope.READ, Scope.WRITE}),
            secret_sha256=sha256(secret.encode()).hexdigest(),
            created_at=at,
            expires_at=None if expires == "never" else _later(at, expires),
        )
        editor.put_token(token, "add")
    return token, token_text(token.id, secret)


def renew(editor: DirectoryEditor, token: Token, at: datetime) -> Token:
    """For as long from now as it was made for. The secret stays, so nothing has to be written down where it is used."""
    with editor.change():
        # Read again: it may have been revoked a moment ago.
        found = editor.token(token.id)
        if found is None or found.revoked_at is not None:
            raise RevokedToken(f"token {token.id} was revoked", next_step=_ANOTHER)
        lifetime = found.lifetime
        renewed = replace(found, created_at=at, expires_at=at + lifetime if lifetime else None)
        editor.put_token(renewed, "renew")
        return renewed


def every(editor: DirectoryEditor, tenant: str | None) -> Iterator[Token]:
    return editor.all_tokens(tenant_named(editor, tenant).name if tenant else None)


def revoke(editor: DirectoryEditor, id: str, at: datetime) -> Token:
    with editor.change():
        token = editor.token(id)
        if token is None:
            raise NotFound(f"there is no token '{id}'", next_step="see: gatepost token list")
        if token.revoked_at is not None:
            return token
        token = replace(token, revoked_at=at)
        editor.put_token(token, "revoke")
        return token


def opened(editor: DirectoryEditor, text: str, at: datetime) -> Token:
    """The token that `text` is. Raises `BadToken`."""
    id, secret = id_and_secret(text) or ("", "")
    token = editor.token(id)
    if token is None or not token.is_opened_by(secret):
        if token is None:
            secrets.compare_digest(_NOBODYS_SECRET, sha256(secret.encode()).hexdigest())
        raise BadToken("unknown token: use one created by gatepost token add on this relay")
    if token.revoked_at is not None:
        raise RevokedToken(f"token {id} was revoked", next_step=_ANOTHER)
    if token.has_expired(at):
        raise ExpiredToken(f"token {id} expired on {token.expires_at:%Y-%m-%d}", next_step=_ANOTHER)
    if token.used_at is None or at - token.used_at > _USE_NOTED_EVERY:
        editor.note_token_used(token, at)
    return token


def _must_have_room(editor: DirectoryEditor, owner: Tenant, at: datetime) -> None:
    """Of what was revoked or has expired there may be any number."""
    limit = limit_of(editor.allowance, owner, "tokens")
    open_ones = sum(each.revoked_at is None and not each.has_expired(at) for each in editor.all_tokens(owner.name))
    if limit and open_ones >= limit:
        raise too_many(owner, "tokens", limit)


def _later(at: datetime, duration: str) -> datetime:
    try:
        return at + timedelta(seconds=duration_s(duration))
    except OverflowError:
        raise BadRequest(
            TOKEN["expires_at"], f" {duration}: that is beyond the year 9999", next_step="write never"
        ) from None


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise BadRequest(TOKEN["scopes"], f" {text}: must be read, write or renew") from None
