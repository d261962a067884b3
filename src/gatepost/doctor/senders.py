"""Whose mail was refused: the reverse-paths seen with what became of them, and whether their domains are the tenant's."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatepost.doctor.addresses import refused_by_attribution, without_port
from gatepost.doctor.evidence import EvidenceBundle, ProseFact, ReplySeen
from gatepost.exchange.source import Source
from gatepost.mail.domain import DomainError, domain_key, is_at_or_below, is_below

_LOCAL_SUFFIXES = (
    "local",
    "lan",
    "internal",
    "localhost",
    "localdomain",
    "home",
    "corp",
    "intranet",
    "invalid",
    "private",
)
_PUBLIC_MAILBOX_DOMAINS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "yahoo.com",
        "hotmail.com",
        "outlook.com",
        "live.com",
        "icloud.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "t-online.de",
        "proton.me",
        "protonmail.com",
        "mail.ru",
        "yandex.ru",
        "qq.com",
        "163.com",
    ]
)
_APPLICATION_MAILBOXES = re.compile(
    r"(?:root|www-data|apache|nginx|nobody|cron|daemon|wwwrun|http|tomcat|postgres|mysql|nagios|zabbix|backup|"
    r"no-?reply|do-?not-?reply|app|application|service|system|scanner|scan|printer|alert|alerts|monitor|monitoring)\Z",
    re.IGNORECASE,
)


def domain_of(mailbox: str) -> str:
    """The domain key of `user@domain`; empty where there is none or it is no domain name."""
    _, at, domain = mailbox.strip().strip("<>").rpartition("@")
    if not at:
        return ""
    try:
        return domain_key(domain)
    except DomainError:
        return ""


def is_local_name(domain: str) -> bool:
    """A name no tenant can ever verify: one label, or under a suffix used inside only."""
    return bool(domain) and ("." not in domain or domain.rpartition(".")[2] in _LOCAL_SUFFIXES)


def is_public_mailbox_domain(domain: str) -> bool:
    return domain in _PUBLIC_MAILBOX_DOMAINS


def is_application_mailbox(mailbox: str) -> bool:
    return bool(_APPLICATION_MAILBOXES.match(mailbox.rpartition("@")[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSeen:
    """A reverse-path with what became of it. Empty: the null reverse-path."""

    reverse_path: str
    accepted: int = 0
    refused: int = 0
    """Refused by attribution."""
    source: Source
    refusal: ReplySeen | None = None
    forwarded: bool = False
    """The recipient was rewritten on the way: `orig_to` differs."""

    @property
    def is_null(self) -> bool:
        return self.reverse_path == ""

    @property
    def domain(self) -> str:
        return domain_of(self.reverse_path)

    @property
    def shown(self) -> str:
        return f"<{self.reverse_path}>"


def senders(bundle: EvidenceBundle) -> tuple[SenderSeen, ...]:
    """Every reverse-path once, the refused ones first."""
    found: dict[str, SenderSeen] = {}
    for each in _sightings(bundle):
        key = each.reverse_path.casefold()
        before = found.get(key)
        if before is not None:
            each = SenderSeen(
                reverse_path=before.reverse_path,
                accepted=before.accepted + each.accepted,
                refused=before.refused + each.refused,
                source=before.source if before.refused or not each.refused else each.source,
                refusal=before.refusal or each.refusal,
                forwarded=before.forwarded or each.forwarded,
            )
        found[key] = each
    return tuple(sorted(found.values(), key=lambda each: -each.refused))


def _sightings(bundle: EvidenceBundle) -> Iterator[SenderSeen]:
    told: set[tuple[str, int]] = set()
    for session in bundle.sessions:
        if session.log == "receive" or session.reverse_path is None:
            continue
        refusal = next((reply for reply in session.replies if refused_by_attribution(reply)), None)
        if refusal:
            told.add((refusal.source.file, refusal.source.line))
        yield SenderSeen(
            reverse_path=session.reverse_path,
            accepted=int(session.accepted is True and refusal is None),
            refused=int(refusal is not None),
            source=session.reverse_path_at or (refusal.source if refusal else session.source),
            refusal=refusal,
        )
    for delivery in bundle.postfix_deliveries:
        if delivery.reverse_path is None:
            continue
        told.add((delivery.source.file, delivery.source.line))
        refused = delivery.enhanced in ("5.7.64", "4.4.62") or "TenantAttribution" in delivery.response
        yield SenderSeen(
            reverse_path=delivery.reverse_path,
            accepted=int(delivery.status == "sent"),
            refused=int(refused),
            source=delivery.source,
            forwarded=bool(delivery.original_forward_path)
            and delivery.original_forward_path.casefold() != delivery.forward_path.casefold(),
        )
    yield from _in_returned_headers(bundle)
    for reply in bundle.replies:
        if reply.reverse_path is not None and (reply.source.file, reply.source.line) not in told:
            refused = refused_by_attribution(reply)
            yield SenderSeen(
                reverse_path=reply.reverse_path,
                refused=int(refused),
                source=reply.source,
                refusal=reply if refused else None,
            )


def _in_returned_headers(bundle: EvidenceBundle) -> Iterator[SenderSeen]:
    """RFC 5321 4.4: Return-Path tells the reverse-path of a message that was refused, where one refusal is all there
    is. An empty one is the notification's own."""
    refusals = [each for each in bundle.replies if refused_by_attribution(each)]
    if any(each.reverse_path for each in refusals) or bundle.sessions or bundle.postfix_deliveries or not refusals:
        return
    for header in bundle.headers:
        mailbox = header.value.strip().strip("<>")
        if header.name.casefold() == "return-path" and "@" in mailbox:
            yield SenderSeen(reverse_path=mailbox, refused=1, source=header.source, refusal=refusals[0])


_IN_OTHER_TENANT = re.compile(
    r"(?:show\w{0,255}|appear\w{0,255}|land\w{0,255}|visible|end\w{0,255} up|arriv\w{0,255}|trace\w{0,255}|attributed|journal\w{0,255}|captured|goes|go|went)\b.{0,60}?"
    r"\b(?:(?:an)?other|different|wrong|sister|former|old|foreign|customer|client)\b.{0,40}?(?:tenant|trace|organi[sz]ation|company|mandant)"
    r"|\b(?:(?:an)?other|different|wrong|sister)\b.{0,30}\b(?:tenant|organi[sz]ation|company)\b.{0,40}\b(?:sees?|gets?|receives?|shows?|captures?|takes?)\b"
    r"|\bid\b.{0,30}\b(?:not ours|isn'?t ours|belongs to|of another)\b|\b(?:trace|logs?|tenant|tenant ?id) of (?:the )?(?:company|customer|client|tenant|mandant) \w+|\bin (?:a|one) customer'?s'? tenant",
    re.IGNORECASE,
)


def told_in_other_tenant(bundle: EvidenceBundle) -> ProseFact | None:
    """A sentence saying that the mail turned up in somebody else's tenant."""
    return next((each for each in bundle.prose if _IN_OTHER_TENANT.search(each.quote)), None)


_DOMAIN_OF_SENDERS = re.compile(
    r"(?<![\w.+-])@(?P<at>(?:[\w-]+\.)+[a-z]{2,24})\b"
    r"|(?<![\w@.-])(?P<of>(?:[\w-]{1,255}\.){1,30}[a-z]{2,24}) (?:senders?|users?|people|mailboxes|mails?|absender)\b",
    re.IGNORECASE,
)
_IN_TROUBLE = re.compile(
    r"\b(?:bounc|fail|refus|reject|denied|return|stuck|ATTR36|5\.7\.64|unzustellbar|abgelehnt|zurück|only|nur)",
    re.IGNORECASE,
)


def domains_told(bundle: EvidenceBundle) -> dict[str, ProseFact]:
    """Sender domains that people say are refused: `@new.example`, `new.example users`."""
    told: dict[str, ProseFact] = {}
    for each in bundle.prose:
        for match in _DOMAIN_OF_SENDERS.finditer(each.quote):
            after = each.quote[match.end() : match.end() + 60]
            passing = re.match(r"[^.;,]{0,40}\b(?:fine|ok|works?|arrive|pass|go through)", after, re.IGNORECASE)
            key = _key(match["at"] or match["of"])
            if key and not passing and _IN_TROUBLE.search(each.quote):
                told.setdefault(key, each)
    return told


def accepted_domain_keys(bundle: EvidenceBundle) -> frozenset[str]:
    return frozenset(key for each in bundle.accepted_domains if (key := _key(each.domain)))


def _key(text: str) -> str:
    try:
        return domain_key(text.strip())
    except DomainError:
        return ""


def covered_by_accepted(bundle: EvidenceBundle, domain: str) -> bool:
    """Whether the tenant may use `domain`: it is an accepted domain, or lies below one with MatchSubDomains."""
    for each in bundle.accepted_domains:
        key = _key(each.domain)
        if key and (domain == key or (each.match_subdomains and is_below(domain, key))):
            return True
    return False


def accepted_parent(bundle: EvidenceBundle, domain: str) -> str:
    """The accepted domain above `domain` that does not cover it; empty without one."""
    above = [key for key in accepted_domain_keys(bundle) if is_below(domain, key)]
    return max(above, key=len, default="")


def own_domains(bundle: EvidenceBundle) -> frozenset[str]:
    """Domains that are the organisation's: accepted ones, those whose mail passed, that of the endpoint's name."""
    found = set(accepted_domain_keys(bundle))
    found.update(each.domain for each in senders(bundle) if each.accepted and each.domain and not each.refused)
    for host in endpoint_names(bundle):
        label, _, rest = host.partition(".")
        if rest.startswith("mail.protection.") and "-" in label:
            name, _, suffix = label.rpartition("-")
            found.add(f"{name}.{suffix}")
            found.add(label.replace("-", "."))
    for connector in bundle.inbound_connectors:
        if name := connector.certificate_name.strip().casefold().removeprefix("*."):
            found.add(name.partition(".")[2] if name.count(".") > 1 else name)
    return frozenset(found)


def is_own(bundle: EvidenceBundle, domain: str) -> bool:
    return any(is_at_or_below(domain, each) for each in own_domains(bundle) if each)


def endpoint_names(bundle: EvidenceBundle) -> tuple[str, ...]:
    """Names of the next hop as the sender's side has them configured or logged."""
    names = [host for each in bundle.send_connectors for host in each.smart_hosts]
    names += [each.value for each in bundle.postfix_settings if each.name in ("relayhost", "transport_maps")]
    names += [each.relay for each in bundle.postfix_deliveries] + [each.fqdn for each in bundle.queue_errors]
    names += [each.next_hop for each in bundle.queue_errors] + [each.remote_name for each in bundle.sessions]
    names += [each.host for each in bundle.exim] + [each.said_by for each in bundle.replies]
    cleaned = (without_port(each.strip()).strip("[]").casefold() for each in names if each)
    return tuple(dict.fromkeys(each for each in cleaned if each))
