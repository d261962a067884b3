"""`gatepost bench …`"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli import context
from gatepost.tenancy.tenant import SmartHost

if TYPE_CHECKING:
    from gatepost.loadgen.load import Load, LoadResult

bench_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Measure the throughput of a mail server.",
)


@bench_app.callback()
def bench() -> None:
    """A group, though it has one command yet."""


@bench_app.command(help="Send messages as fast as the server answers, or at a fixed rate, and report the throughput.")
def load(
    target: Annotated[str, typer.Argument(metavar="HOST[:PORT]", show_default=False, help="Port 25 unless given.")],
    messages: Annotated[int, typer.Option(metavar="COUNT", min=1, help="In all.")] = 1000,
    size: Annotated[int, typer.Option(metavar="OCTETS", min=0, help="Of each message.")] = 10240,
    connections: Annotated[int, typer.Option(metavar="COUNT", min=1, help="At the same time.")] = 20,
    per_connection: Annotated[
        int, typer.Option(metavar="COUNT", min=0, help="Messages per connection; 1: always a new one; 0: unlimited.")
    ] = 100,
    recipients: Annotated[int, typer.Option(metavar="COUNT", min=1, help="Of each message.")] = 1,
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Reverse-path.")] = "load@contoso.com",
    recipient: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="Forward-path; of several recipients: to0@, to1@ and so on.")
    ] = "sink@example.net",
    pipelining: Annotated[bool, typer.Option("--pipelining", help="Send a transaction's commands at once.")] = False,
    rate: Annotated[float, typer.Option(metavar="PER_SECOND", min=0, help="Messages per second; 0: unlimited.")] = 0,
    starttls: Annotated[bool, typer.Option("--starttls", help="Over TLS, never resumed.")] = False,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Client certificate with its chain; implies --starttls.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its private key.")] = None,
    tls: Annotated[str, typer.Option(metavar="1.2|1.3", help="Only use this TLS version.")] = "1.3",
    i_own_this_host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Required for any host but this machine: repeat HOST.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    from gatepost.loadgen.load import Load, LoadError, run
    from gatepost.loadgen.native import CompileError

    _must_fit(certificate, key, tls)
    try:
        host, port = _target(target, i_own_this_host)
        wanted = Load(
            host=host,
            port=port,
            messages=messages,
            size=size,
            connections=connections,
            per_connection=per_connection,
            recipients=recipients,
            sender=sender,
            recipient=recipient,
            pipelining=pipelining,
            rate=rate,
            starttls=starttls or certificate is not None,
            certificate=certificate,
            key=key,
            tls=tls,
        )
        result = run(wanted)
    except (LoadError, CompileError) as error:
        context.fail(str(error), context.WRONG_USE)
    if json:
        context.print_json(_document(wanted, result))
    else:
        _print(wanted, result)
    if not result.ok:
        raise typer.Exit(context.NO)


def _must_fit(certificate: Path | None, key: Path | None, tls: str) -> None:
    if (certificate is None) != (key is None):
        context.fail("--certificate and --key go together", context.WRONG_USE)
    if tls not in ("1.2", "1.3"):
        context.fail(f"--tls {tls}: must be 1.2 or 1.3", context.WRONG_USE)


def _target(text: str, owned: str | None) -> tuple[str, int]:
    """Address and port. Load on somebody else's server is an attack: a host elsewhere has to be named twice."""
    from gatepost.errors import BadRequest
    from gatepost.loadgen.load import address_of, is_this_machine
    from gatepost.tenancy.notation import smart_host

    try:
        target = smart_host(text)
    except BadRequest as error:
        context.fail(str(error), context.WRONG_USE)
    if owned != target.host and not is_this_machine(target.host):
        context.fail(
            f"{target.host} is not this machine; if you may load it, confirm with: --i-own-this-host {target.host}",
            context.WRONG_USE,
        )
    return address_of(target.host), target.port


def _document(load: "Load", result: "LoadResult") -> dict[str, Any]:
    return {"load": asdict(load), **asdict(result), "cores": round(result.cores, 3), "full": result.full}


def _print(load: "Load", result: "LoadResult") -> None:
    from gatepost.cli.editing import print_facts

    facts = [("accepted", f"{result.accepted} of {result.messages}")]
    if result.accepted:
        latency = result.latency_ms
        facts += [
            ("rate", f"{result.per_second:.0f}/s, over {result.seconds:.2f} s"),
            ("250 after", f"{latency.p50:.1f} ms p50, {latency.p99:.1f} ms p99, {latency.max:.1f} ms at most"),
            ("load took", f"{result.cores:.2f} cores" + ("; full: the server may be faster" if result.full else "")),
        ]
    facts.append(
        ("connections", f"{result.connections}" + (f", {result.handshakes} TLS handshakes" if load.starttls else ""))
    )
    facts += [(name, str(count)) for name, count in (("refused", result.refused), ("cut off", result.lost)) if count]
    if result.trouble:
        facts.append(("first", result.trouble))
    recipients = f" to {load.recipients} recipients each" if load.recipients > 1 else ""
    target = SmartHost(host=load.host, port=load.port)
    print_facts(f"{load.messages} messages of {load.size} octets{recipients} to {target}", facts)
