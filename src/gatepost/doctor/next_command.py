"""The one command that a person would want after a report, with what the evidence tells filled in."""

from shlex import quote

from gatepost.doctor.addresses import egress_addresses
from gatepost.doctor.diagnosis import Diagnosis
from gatepost.doctor.evidence import EvidenceBundle

_RELAY = ".mail.protection.outlook.com"


def next_command(bundle: EvidenceBundle, diagnosis: Diagnosis) -> str:
    """Before a change: what it would bring. Without a cause: what would tell more."""
    first = diagnosis.findings[0] if diagnosis.findings else None
    if first and first.fix and bundle.inbound_connectors and bundle.accepted_domains:
        return f"gatepost explain --exchange-online FOLDER{_session(bundle)}"
    if (first is None or first.confidence != "high") and not any(each.kind == "probe" for each in bundle.tls):
        return f"gatepost doctor FILE... --probe {quote(_host(bundle) or 'HOST')} --certificate CHAIN.pem --key KEY.pem"
    return "gatepost doctor FILE... --redact --markdown   # a report that can be posted"


def _session(bundle: EvidenceBundle) -> str:
    refused = [each for each in bundle.sessions if each.accepted is False]
    sender = next((each.reverse_path for each in refused if each.reverse_path is not None), "SENDER")
    recipient = next((path for each in refused for path in each.forward_paths), "RECIPIENT")
    address = next((each.text for each in egress_addresses(bundle) if each.refused), "")
    where = f" --address {quote(address)}" if address else ""
    return f"{where} --mail-from {quote(sender)} --rcpt-to {quote(recipient)}"


def _host(bundle: EvidenceBundle) -> str:
    """The relay that mail goes to, by connector, setting or session."""
    hosts = [host for each in bundle.send_connectors for host in each.smart_hosts]
    if setting := bundle.postfix_setting("relayhost"):
        hosts.append(setting.value.partition("]")[0].strip("[]"))
    hosts += [each.remote_name for each in bundle.sessions if each.log in ("send", "postfix", "transcript")]
    return next((host for host in hosts if host.endswith(_RELAY)), next((host for host in hosts if "." in host), ""))
