"""Causes that are near at hand and that the evidence speaks against, where their own rules had nothing to say.

An administrator who is told one cause asks why it is not the usual other one: a line for each that can be answered from
what was seen. Law: only what a session, an export or a certificate shows rules a cause out; words do not.
"""

from collections.abc import Callable, Iterator

from gatepost.doctor.addresses import egress_addresses, identity_connectors, lists_address
from gatepost.doctor.causes import all_causes
from gatepost.doctor.certificates_told import at, is_public, shown
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Cited, RuledOut, cite, ruled_out
from gatepost.exchange.objects import InboundConnector

Reason = Callable[[EvidenceBundle, Derived], RuledOut | None]


def spoken_against(bundle: EvidenceBundle, facts: Derived, judged: set[str]) -> Iterator[RuledOut]:
    """A line for every near cause not yet judged."""
    titles = {each.id: each.title for each in all_causes().values()}
    for rule, reason in _REASONS:
        if rule not in judged and (against := reason(bundle, facts)):
            yield RuledOut(because=against.because, evidence=against.evidence, rule=rule, title=titles[rule])


def _reached_smtp(bundle: EvidenceBundle, facts: Derived) -> Cited | None:
    """The refusal came in SMTP, after TLS: path and key work."""
    for session in facts.refused_sessions:
        if session.sent_certificate or session.starttls_sent:
            return cite(session.source, "the session went on after TLS and was refused in SMTP")
    established = next((each for each in bundle.postfix_tls if each.kind == "established"), None)
    if established and facts.attribution_refusals:
        return cite(established.source, "TLS was established and the refusal came in SMTP")
    return None


def _key(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    reached = _reached_smtp(bundle, facts)
    certificate = facts.sent_when_refused
    if reached is None or certificate is None:
        return None
    return ruled_out("the session goes on after the certificate, so its key is there", reached)


def _path(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    reached = _reached_smtp(bundle, facts)
    return ruled_out("sessions on port 25 get as far as a refusal in SMTP", reached) if reached else None


def _inspection(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    offered = next((each for each in facts.refused_sessions if each.starttls_offered), None)
    if offered is None:
        return None
    return ruled_out("the EHLO reply offers STARTTLS", cite(offered.source, "STARTTLS is among the keywords"))


def _expired(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    certificate, when = facts.presented, facts.failed_at
    if certificate is None or certificate.not_after is None or when is None:
        return None
    if (at(certificate.not_after) or 0.0) <= when:
        return None
    return ruled_out(
        f"the certificate is valid until {certificate.not_after.text}", cite(certificate.source, shown(certificate))
    )


def _private(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    certificate = facts.presented
    if certificate is None or certificate.issuer is None or not is_public(certificate):
        return None
    return ruled_out(
        f"a public authority issued it ({certificate.issuer.common_name or certificate.issuer.text})",
        cite(certificate.source, shown(certificate)),
    )


def _address(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    connectors = identity_connectors(bundle.inbound_connectors)
    refused = [each for each in egress_addresses(bundle) if each.refused]
    listed = next((each for each in refused if any(lists_address(one, each.address) for one in connectors)), None)
    if listed:
        return ruled_out(f"{listed.text} is listed", cite(listed.source, listed.quote))
    if connectors and not any(each.addresses or each.truncated("SenderIPAddresses") for each in connectors):
        return ruled_out(f"{_called(connectors[0])} goes by a certificate's name, not by address")
    return None


def _name(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    connector = facts.matching_connector
    if connector is None or facts.sent_when_refused is None:
        return None
    return ruled_out(
        f"the session presents the name that {_called(connector)} has",
        cite(facts.sent_when_refused.source, shown(facts.sent_when_refused)),
    )


def _plain(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    """Names of certificates do not count in a session that presented none."""
    if facts.certificate_withheld or facts.refused_in_plain_text:
        return ruled_out("the refused session presented no certificate, so no name was compared")
    return None


def _no_chain(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    return (
        ruled_out("the refused session presented no certificate, so no chain was judged")
        if _plain(bundle, facts)
        else None
    )


def _called(connector: InboundConnector) -> str:
    return f"'{connector.name}'" if connector.name else "the connector"


def _disabled(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    one = next((each for each in bundle.inbound_connectors if each.enabled and each.connector_type != "partner"), None)
    if one is None or any(each.enabled is False for each in bundle.inbound_connectors):
        return None
    return ruled_out(f"{_called(one)} is enabled", cite(one.where("Enabled"), "Enabled True"))


def _partner(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    one = next((each for each in bundle.inbound_connectors if each.connector_type == "onpremises"), None)
    if one is None or any(each.connector_type == "partner" for each in bundle.inbound_connectors):
        return None
    return ruled_out(
        f"{_called(one)} is of type OnPremises", cite(one.where("ConnectorType"), "ConnectorType OnPremises")
    )


def _not_there(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    one = next(iter(identity_connectors(bundle.inbound_connectors)), None)
    return (
        ruled_out(f"there is a connector{f': {one.name}' if one.name else ''}", cite(one.source, one.quote))
        if one
        else None
    )


def _spreading(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    seen = egress_addresses(bundle)
    refused = [each for each in seen if each.refused and not each.accepted]
    passed = [each for each in seen if each.accepted and not each.refused]
    if (
        not refused
        or not passed
        or len(refused) + len(passed) != len([each for each in seen if each.refused or each.accepted])
    ):
        return None
    return ruled_out("whether mail is refused follows the address it leaves from, not the time")


def _old_protocol(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    modern = next((each for each in bundle.tls if each.established and each.protocol in ("TLSv1.2", "TLSv1.3")), None)
    return ruled_out(f"{modern.protocol} was negotiated", cite(modern.source, modern.quote)) if modern else None


def _no_client_certificate(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    sent = next((each for each in bundle.tls if each.established and each.client_certificate_sent), None)
    return ruled_out("a client certificate was presented", cite(sent.source, sent.quote)) if sent else None


def _intermediate(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    """A new intermediate matters to what goes by the issuer's name: Exchange's TlsCertificateName."""
    renewal = facts.renewal
    if renewal is None or renewal.old.issuer is None or renewal.new.issuer is None or bundle.send_connectors:
        return None
    if renewal.old.issuer.key == renewal.new.issuer.key or facts.stored:
        return None
    return ruled_out(
        f"the intermediate changed ({renewal.old.issuer.common_name} to {renewal.new.issuer.common_name}), "
        "but nothing here goes by the issuer's name",
        cite(renewal.new.source, shown(renewal.new)),
    )


def _local(bundle: EvidenceBundle, facts: Derived) -> RuledOut | None:
    said = next((each for each in facts.attribution_refusals if "outlook" in each.trailer_host.casefold()), None)
    return ruled_out("the service itself refused: the reply bears its trailer", cite(said)) if said else None


_REASONS: tuple[tuple[str, Reason], ...] = (
    ("renewed-certificate-other-name", _plain),
    ("renewed-certificate-other-name", _name),
    ("egress-address-changed", _address),
    ("intermediates-not-sent", _no_chain),
    ("certificate-expired", _expired),
    ("private-or-self-signed-certificate", _private),
    ("issuer-changes-at-every-renewal", _intermediate),
    ("no-inbound-connector", _not_there),
    ("connector-disabled", _disabled),
    ("partner-type-connector", _partner),
    ("change-not-spread", _spreading),
    ("postfix-has-no-client-certificate", _no_client_certificate),
    ("private-key-missing", _key),
    ("inspection-masks-starttls", _inspection),
    ("only-old-tls-versions", _old_protocol),
    ("port-25-blocked", _path),
    ("refused-by-recipients-own-server", _local),
)
