"""`gatepost init`: write what a first `gatepost serve` needs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.cli import context

if TYPE_CHECKING:
    from gatepost.app.setup import Edge

init_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@init_app.command(help="Create gatepost.toml, a data folder and a self-signed server certificate. Overwrites nothing.")
def init(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Data folder: queue, directory, logs.")] = Path("data"),
    hostname: Annotated[
        str | None, typer.Option(metavar="NAME", help="Host name of this server; default: the machine's.")
    ] = None,
    edge: Annotated[bool, typer.Option("--edge", help="Set up an edge beside an on-premises server.")] = False,
    smart_host: Annotated[str | None, typer.Option(metavar="HOST[:PORT]", help="Edge: relay to send to.")] = None,
    domain: Annotated[
        list[str] | None, typer.Option(metavar="D", help="Edge: domain of this organisation; repeatable.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Edge: certificate chain to present to the smart host.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="Edge: the key of that certificate.")] = None,
    mailboxes: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="Edge: your own mail server; receives notices to your users."),
    ] = None,
) -> None:
    from gatepost.app.setup import SetupError, initialise

    if not edge and (smart_host or domain or certificate or key or mailboxes):
        context.fail("--smart-host, --domain, --certificate, --key and --mailboxes go with --edge", context.WRONG_USE)
    file = context.config_path()
    role = None
    if edge:
        if not smart_host or not domain:
            context.fail("--edge needs --smart-host HOST[:PORT] and at least one --domain D", context.WRONG_USE)
        role = _edge(smart_host, domain, certificate, key, mailboxes)
    try:
        made = initialise(file, data, hostname, role)
    except SetupError as error:
        context.fail(str(error), context.WRONG_USE)
    for path in made:
        context.say(f"wrote {path}")
    if os.geteuid() == 0:
        context.warn(
            f'written by root; to run as a dedicated user, set user = "gatepost" in {file}, and: '
            f"chown -R gatepost: {made[1]} {made[3]}"
        )
    if edge and mailboxes is None:
        context.warn(
            f"no --mailboxes HOST: a notice to your users leaves by {smart_host}, and is lost if that refuses it; name "
            f"your mail server with: gatepost send-connector add mailboxes --address-space {(domain or [''])[0]} "
            "--smart-host HOST"
        )
    context.suggest("gatepost serve" if edge else "gatepost tenant add NAME")


def _edge(
    smart_host: str, domains: list[str], certificate: Path | None, key: Path | None, mailboxes: str | None
) -> "Edge":
    from gatepost.app.setup import Edge
    from gatepost.errors import Refused
    from gatepost.tenancy import notation

    if (certificate is None) != (key is None):
        context.fail("--certificate and --key go together", context.WRONG_USE)
    try:
        return Edge(
            smart_host=notation.smart_host(smart_host),
            domains=tuple(notation.accepted_domain(domain) for domain in domains),
            certificate=certificate,
            key=key,
            mailboxes=notation.smart_host(mailboxes) if mailboxes else None,
        )
    except Refused as error:
        context.fail(str(error), context.WRONG_USE)
