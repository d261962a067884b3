"""What a session showed of tenants' servers. Made off the session's thread, from the account of it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from gatepost.receiving.account import SessionAccount
from gatepost.tenancy.attribution import Attribution, Basis
from gatepost.tenancy.evidence import ClientCertificate, VerifiedCertificate
from gatepost.tenancy.seen_server import SeenCertificate, SeenServer


def seen_servers_of(session: SessionAccount) -> Iterator[SeenServer]:
    """One for each connector that decided, with the messages that it brought."""
    tls = session.peer.tls
    certificate = _seen(tls.certificate) if tls and tls.certificate else None
    at = datetime.fromtimestamp(session.at, UTC)
    for (tenant, connector, basis), messages in _messages_by_connector(session).items():
        yield SeenServer(
            tenant=tenant,
            connector=connector,
            basis=basis,
            address=session.peer.address_text,
            certificate=certificate,
            first_at=at,
            last_at=at,
            messages=messages,
        )


def _messages_by_connector(session: SessionAccount) -> dict[tuple[str, str, Basis], int]:
    found: dict[tuple[str, str, Basis], int] = {}
    for transaction in session.transactions:
        # One of which an earlier account held the decisions has its queue id only now.
        decided = {_decided(decision.attribution) for decision in transaction.decisions}
        for each in decided:
            if each:
                found[each] = found.get(each, 0) + (transaction.queue_id is not None)
    return found


def _decided(attribution: Attribution | None) -> tuple[str, str, Basis] | None:
    if attribution is None or attribution.refusal or not (attribution.tenant and attribution.connector):
        return None
    return (attribution.tenant, attribution.connector, attribution.basis) if attribution.basis else None


def _seen(certificate: ClientCertificate) -> SeenCertificate:
    leaf = certificate.leaf
    return SeenCertificate(
        sha256=leaf.sha256,
        subject=leaf.subject,
        names=leaf.names,
        issuer=leaf.issuer,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        anchor=certificate.anchor if isinstance(certificate, VerifiedCertificate) else "",
    )
