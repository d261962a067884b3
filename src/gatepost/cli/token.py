"""`gatepost token …`"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gatepost.admin.directory import tokens
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, print_table
from gatepost.errors import BadRequest
from gatepost.tenancy.record import token_record
from gatepost.tenancy.token import Token

token_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Manage tokens of the Management API."
)

Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@token_app.command(help="Create a token and write it to a file with mode 0600; it is never displayed.")
def add(
    out: Annotated[Path, typer.Option(metavar="FILE", show_default=False, help="New file for the token.")],
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Scope the token to this tenant.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="Scope the token to the whole server.")] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="read|write|renew", help="Repeatable; default: read and write. renew: extend itself."),
    ] = None,
    expires: Annotated[str, typer.Option(metavar="DURATION", help="12h, 90d, 52w, or never.")] = "90d",
) -> None:
    with directory_editor() as editor:
        if (tenant is None) is not operator:
            raise BadRequest("choose the owner of the token: --tenant T or --operator")
        with editor.change():
            token, text = tokens.add(editor, tenant, scope or (), expires, datetime.now(UTC))
            _write(out, text)
    context.say(f"token {token.id} for {_whose(token)} is in {out}, valid until {_end(token)}")
    context.suggest(f"gatepost --server https://HOST:PORT --token-file {out} tenant list")


@token_app.command("list", help="List tokens: owner, scope, expiry, last use.")
def list_tokens(
    tenant: Annotated[str | None, typer.Option(metavar="T", help="That tenant's only.")] = None, json: Json = False
) -> None:
    with directory_editor() as editor:
        found = list(tokens.every(editor, tenant))
    if json:
        context.print_json([token_record(token) for token in found])
        return
    now = datetime.now(UTC)
    rows = [
        [
            each.id,
            _whose(each),
            " ".join(sorted(each.scopes)),
            _state(each, now),
            _end(each),
            day_and_time(each.used_at),
        ]
        for each in found
    ]
    print_table("", ["token", "for", "scopes", "state", "until", "last used"], rows)


@token_app.command(help="Revoke a token.")
def revoke(
    id: Annotated[str, typer.Argument(metavar="TOKEN", show_default=False, help="As shown by token list.")],
) -> None:
    with directory_editor() as editor:
        token = tokens.revoke(editor, id, datetime.now(UTC))
    context.say(f"revoked token {token.id}")


def _write(file: Path, text: str) -> None:
    """For the owner's eyes only, and never over an existing file."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write(f"{text}\n")
    except FileExistsError:
        raise BadRequest(f"{file} already exists; name a new file") from None
    except OSError as error:
        raise BadRequest(f"{file} cannot be written: {error.strerror}; no token was made") from None


def _whose(token: Token) -> str:
    return "the operator" if token.tenant is None else f"tenant {token.tenant}"


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.has_expired(now) else "valid"


def _end(token: Token) -> str:
    return day_and_time(token.expires_at) if token.expires_at else "it is revoked"
