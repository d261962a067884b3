"""Values that a repair needs and no single object has: the organisation's own domain, its endpoint, its server's name,
the envelope of the mail that failed, the address that it left from.

What flows: a path, and the best place in the evidence that tells the value. Law: of several that fit equally none is
taken, so that a command shows a gap and never a guess; a domain of the organisation is never the refused stranger's.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from gatepost.doctor.addresses import (
    addresses_told,
    egress_addresses,
    parsed_address,
    parsed_networks,
    refused_by_attribution,
)
from gatepost.doctor.certificates_told import is_self_signed, names_of
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, ReplySeen
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.senders import (
    accepted_domain_keys,
    domain_of,
    endpoint_names,
    is_application_mailbox,
    is_local_name,
    is_public_mailbox_domain,
    own_domains,
    senders,
)

ENDPOINT: Final = ".mail.protection.outlook.com"
_SERVICES: Final = ("outlook.com", "onmicrosoft.com", "office365.com", "microsoft.com", "office365.us", "mx.microsoft")


def only(values: Iterable[str]) -> str:
    """The one value, however often it was seen; of several none."""
    found = list(dict.fromkeys(each for each in values if each))
    return found[0] if len(found) == 1 else ""


# --- the organisation -----------------------------------------------------------------------------------------------


def own_domain(path: MailPath) -> str:
    """The domain that the organisation sends as."""
    return next((one for each in _own_domains(path) if (one := only(filter(_may_be_own, each)))), "")


def _own_domains(path: MailPath) -> Iterator[list[str]]:
    bundle = path.bundle
    accepted = [each for each in accepted_domain_keys(bundle) if not each.endswith("onmicrosoft.com")]
    yield accepted
    yield [each for each in accepted if any(name.endswith(f".{each}") for name in _certificate_names(path))]
    yield _of_endpoint(bundle)
    yield [each.domain for each in senders(bundle) if each.domain and not each.is_null]
    yield [_above(each) for each in _certificate_names(path)]
    yield [_above(each) for each in _hosts(bundle)]
    yield _written_about(bundle)
    yield list(own_domains(bundle))


def _may_be_own(domain: str) -> bool:
    return (
        "." in domain
        and not is_local_name(domain)
        and not is_public_mailbox_domain(domain)
        and not domain.endswith(_SERVICES)
    )


def _of_endpoint(bundle: EvidenceBundle) -> list[str]:
    labels = [host.removesuffix(ENDPOINT) for host in endpoint_names(bundle) if host.endswith(ENDPOINT)]
    return [".".join(label.rsplit("-", 1)) for label in labels if "-" in label and "." not in label]


def _certificate_names(path: MailPath) -> list[str]:
    """Names that the organisation's servers present or hold, the machines' own left out."""
    held = [each for store in path.stores for each in store.held]
    held += [each.ours for each in path.sessions if each.ours is not None]
    held += [each.certificate for each in path.presented] + own_leaves(path.bundle)
    names = [names_of(each)[0] for each in held if names_of(each) and not is_self_signed(each)]
    return [each.removeprefix("*.") for each in names] + [
        each.certificate_name.casefold().removeprefix("*.") for each in path.bundle.inbound_connectors
    ]


def own_leaves(bundle: EvidenceBundle) -> list[CertificateSeen]:
    """End-entity certificates that were handed in as files; those that peers presented are others'."""
    return [
        each
        for each in bundle.certificates
        if each.role in ("file", "new", "sent")
        and not each.is_authority
        and not each.depth
        and (not each.presented_by or each.presented_by.startswith(_HERE))
    ]


_HERE: Final = ("127.0.0.1", "localhost", "[::1]")
_FOR_SENDING: Final = ("smtp_tls_cert_file", "smtp_tls_chain_files", "smtp_tls_eccert_file", "confclient_cert")


def client_certificate_file(bundle: EvidenceBundle) -> str:
    """The file of the certificate for sending, as the settings of a mail program name it; empty: none is shown."""
    for name in _FOR_SENDING[:3]:
        setting = bundle.postfix_setting(name)
        if setting is not None and setting.value.strip():
            return setting.value
    for each in bundle.settings:
        exim_transport = each.software == "exim" and each.name == "tls_certificate" and each.section
        if each.name.casefold() in _FOR_SENDING or exim_transport:
            return each.value
    return ""


def _above(host: str) -> str:
    return host.partition(".")[2] if host.count(".") > 1 else host


def _hosts(bundle: EvidenceBundle) -> list[str]:
    settings = [bundle.postfix_setting(name) for name in ("mydomain", "myorigin", "myhostname")]
    named = [each.value.casefold() for each in settings if each is not None and "$" not in each.value][:1]
    named += [each.quoted_by.casefold() for each in bundle.replies if each.quoted_by]
    return [each for each in named if not each.endswith(_SERVICES)]


def _written_about(bundle: EvidenceBundle) -> list[str]:
    """The domain of people's own mailboxes that the evidence names most: those it refuses or sends to are others'."""
    refused = [each for each in bundle.replies if each.code >= 400]
    strangers = {domain_of(each.forward_path or "") for each in refused}
    beside = {(each.source.file, each.source.line) for each in refused}
    mailboxes = [
        each.value
        for each in bundle.names
        if each.kind == "mailbox" and (each.source.file, each.source.line) not in beside
    ]
    mailboxes += [each.forward_path for each in bundle.postfix_deliveries if each.status == "sent"]
    counted = Counter(
        domain for each in mailboxes if (domain := domain_of(each)) and _may_be_own(domain) and domain not in strangers
    )
    most = counted.most_common(2)
    return [most[0][0]] if most and (len(most) == 1 or most[0][1] > most[1][1]) else []


def endpoint_made_of(domain: str) -> str:
    """`contoso-com.mail.protection.outlook.com`: Exchange Online's MX name of a domain."""
    return domain.casefold().replace(".", "-") + ENDPOINT


def relay_name(path: MailPath) -> str:
    """A certificate name of the organisation alone: one that it has, else one below its domain."""
    domain = own_domain(path)
    held = [each for each in _certificate_names(path) if domain and each.endswith(f".{domain}")]
    return only(held) or (f"relay.{domain}" if domain else "")


def server_name(path: MailPath) -> str:
    """The public name that the sending server goes by."""
    names = [each for each in _certificate_names(path) if _may_be_own(each)]
    return only(names) or only(each for each in _hosts(path.bundle) if _may_be_own(each))


def server(path: MailPath) -> str:
    taken = [each.log.connector.partition("\\")[0] for each in path.sessions if "\\" in each.log.connector]
    named = only(each.quoted_by.partition(".")[0] for each in path.bundle.replies)
    greeted = [each.remote_name for each in path.bundle.sessions if "Microsoft ESMTP" in each.banner]
    inside = only(each.partition(".")[0] for each in greeted if not each.endswith(_SERVICES))
    return only(path.servers) or only(taken) or named or inside


# --- the mail that failed -------------------------------------------------------------------------------------------


def _failed(bundle: EvidenceBundle) -> list[ReplySeen]:
    failed = [each for each in bundle.replies if each.code >= 400]
    return [each for each in failed if refused_by_attribution(each)] or failed


def recipient(path: MailPath) -> str:
    bundle = path.bundle
    told = [each.forward_path or "" for each in _failed(bundle)]
    told += [each.forward_path for each in bundle.postfix_deliveries if each.status not in ("sent", "")]
    told += [each.recipient for each in bundle.traced if each.event.casefold() != "delivered"]
    told += [each for session in bundle.sessions if session.accepted is False for each in session.forward_paths]
    return only(told) or next(iter(filter(None, told)), "") or _only_mailbox(bundle)


def _only_mailbox(bundle: EvidenceBundle) -> str:
    """The one mailbox that is written about, where it is nobody's that sends."""
    sending = {each.reverse_path.casefold() for each in senders(bundle)}
    named = only(each.value for each in bundle.names if each.kind == "mailbox")
    return "" if named.casefold() in sending else named


def sender(path: MailPath) -> str:
    refused = [each.reverse_path for each in senders(path.bundle) if each.refused and not each.is_null]
    return (
        only(refused) or only(each.reverse_path for each in senders(path.bundle) if not each.is_null) or _traced(path)
    )


def _traced(path: MailPath) -> str:
    return only(each.sender for each in path.bundle.traced) or only(
        each.value for each in path.bundle.names if each.kind == "mailbox" and is_application_mailbox(each.value)
    )


def mailbox(path: MailPath) -> str:
    """The mailbox that logs in: the one whose login is off, else the one that is written about."""
    asked = [each for each in path.bundle.settings if each.name == "SmtpClientAuthenticationDisabled" and each.section]
    if asked:
        return only(each.section for each in asked if each.value.casefold() != "false")
    return only(each.value for each in path.bundle.names if each.kind == "mailbox")


def public_address(path: MailPath) -> str:
    """The address that mail leaves from: seen by the service, else told by people."""
    seen = [each.text for each in egress_addresses(path.bundle) if not each.accepted]
    return only(seen) or only(_with_its_range(path.bundle, each.text) for each in addresses_told(path.bundle))


_RANGE: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}/(?:2[4-9]|3[01])(?!\d)")


def _with_its_range(bundle: EvidenceBundle, address: str) -> str:
    """The range that somebody names for it: a service's new addresses are seldom one."""
    told = parsed_address(address)
    for text in (found for each in bundle.prose for found in _RANGE.findall(each.quote)):
        if told is not None and any(told in network for network in parsed_networks(text)):
            return str(text)
    return address


_DOMAIN: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")


_MACHINES: Final = (".prod.outlook.com", ".prod.protection.outlook.com")
"""The service's single machines, as they sign their replies: nothing to send to."""


def next_hop(path: MailPath) -> str:
    """The host that the mail is handed to."""
    hosts = [each for each in endpoint_names(path.bundle) if _DOMAIN.fullmatch(each) and not each.endswith(_MACHINES)]
    written = (each.value.casefold() for each in path.bundle.names if each.kind == "domain")
    return (
        only(each for each in hosts if each.endswith(ENDPOINT))
        or only(each for each in written if each.endswith(ENDPOINT) and not each.endswith(_MACHINES))
        or only(hosts)
    )
