"""What a large receiver demands of a sender: SPF, DKIM, DMARC, a PTR record, TLS. The reply names it, DNS answers fill it."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.evidence import DnsAnswer, ReplySeen
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import How, Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit
from gatepost.doctor.senders import domain_of
from gatepost.exchange.source import Fact

_ADDRESS: Final = re.compile(
    r"(?<![\w.:])(?P<address>(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-f]{1,4}:){2,7}[0-9a-f:]{0,20}[0-9a-f])(?![\w.:])",
    re.IGNORECASE,
)
_SPF_OF: Final = re.compile(
    r"\bSPF \[(?P<domain>[\w.-]{3,253})\]|\b(?:domain(?: of)?|lookups for|SPF for|policy of) (?P<other>[\w-]{1,63}(?:\.[\w-]{1,63}){1,6})\b",
    re.IGNORECASE,
)


class _Demand(NamedTuple):
    name: str
    words: tuple[str, ...]


_DEMANDS: Final = (
    _Demand(
        "PTR",
        (
            "ptr",
            "reverse dns",
            "rdns",
            "reverse hostname",
            "find your hostname",
            "5.7.25",
            "4.7.25",
            "reverse lookup",
            "fcrdns",
            "ip-practices",
            "no reverse",
        ),
    ),
    _Demand(
        "SPF",
        (
            "spf",
            "5.7.27",
            "4.7.27",
            "5.7.23",
            "sender policy framework",
            "permitted sender",
            "allowed to send mail from",
            "5.7.26",
            "unauthenticated",
            "5.7.515",
            "policy reasons",
        ),
    ),
    _Demand("DKIM", ("dkim", "5.7.30", "4.7.30", "5.7.26", "unauthenticated", "5.7.515", "policy reasons")),
    _Demand("DMARC", ("dmarc", "5.7.509", "5.7.515", "4.7.31", "4.7.32", "policy reasons")),
    _Demand("TLS", ("require-tls", "tls connection", "4.7.29", "5.7.29")),
)


def receiver_finds_what_it_demands(path: MailPath) -> Iterator[Check]:
    told = [each for each in path.symptoms if each.kind in ("sender-authentication-demanded", "sender-rules")]
    if not told:
        return
    first = told[0]
    replies = [each.fact.text for each in told[:4] if isinstance(each.fact, ReplySeen)]
    words = " ".join((*(each.says for each in told[:4]), *replies)).casefold()
    demands = [each.name for each in _DEMANDS if any(word in words for word in each.words)]
    address, domain = _sending(path, first.fact, words)
    found = tuple(_shown_by_dns(path, demands, address, domain))
    yield Check(
        cause="sender-authentication-demanded",
        standing="broken",
        subject="sender-authentication-demanded",
        says=f"The receiver refuses by its own rule for senders: {', '.join(demands) or 'its reply names what is missing'}"
        + (f" of {domain or address}" if domain or address else "")
        + ". No connector decides here."
        + "".join(f" {each.says[:1].upper()}{each.says[1:]}." for each in found),
        premises=(
            Told(
                value=first,
                how=first.how if found else min(first.how, How.INFERRED),
                source=first.fact.source,
                says=first.says,
            ),
            *found,
        ),
        explains=frozenset(each.kind for each in told),
        way="out",
        edits=tuple(_repairs(path, demands, address or "<public address>", domain or "<sender domain>")),
        verify="Authentication-Results of a message to that receiver says spf=pass, dkim=pass and dmarc=pass; dig -x ADDRESS gives a name that leads back.",
        needs=(
            Need(
                f"dig +short TXT {domain or 'DOMAIN'}; dig +short TXT _dmarc.{domain or 'DOMAIN'}; dig +short -x {address or 'ADDRESS'}",
                1,
            ),
        ),
        names_what_happens=not found,
        place=88,
    )


def _sending(path: MailPath, fact: Fact, words: str) -> tuple[str, str]:
    """The sending address and domain, as the reply names them, else as the session shows them."""
    address = next((each["address"] for each in _ADDRESS.finditer(words)), "")
    if not address:
        address = next((each.log.hello_address for each in path.sessions if each.log.hello_address), "")
    address = address or values.public_address(path)
    named = _SPF_OF.search(words)
    domain = (named["domain"] or named["other"]) if named else ""
    if not domain and isinstance(fact, ReplySeen) and fact.reverse_path:
        domain = domain_of(fact.reverse_path)
    if not domain:
        domain = next((each.name.removeprefix("_dmarc.") for each in path.bundle.dns if each.kind == "TXT"), "")
    return address, domain or values.own_domain(path)


def _shown_by_dns(path: MailPath, demands: list[str], address: str, domain: str) -> Iterator[Told[object]]:
    for answer in path.bundle.dns:
        if "PTR" in demands and answer.kind == "PTR" and not answer.values and answer.name.strip(".") == address:
            yield seen(answer, answer, f"{address} has no PTR record")
    record = _spf_record(path, domain)
    if record is not None and "SPF" in demands and address and address not in record.values[0]:
        yield inferred(
            record, record, f"the SPF record of {record.name} does not list {address} itself: {record.values[0]}"
        )


def _spf_record(path: MailPath, domain: str) -> DnsAnswer | None:
    records = [each for each in path.bundle.dns if each.kind == "TXT" and each.values and "v=spf1" in each.values[0]]
    return next((each for each in records if each.name == domain), records[0] if records and not domain else None)


def _repairs(path: MailPath, demands: list[str], address: str, domain: str) -> Iterator[Edit]:
    family = "ip6" if ":" in address else "ip4"
    name = (
        next((each.value for each in path.bundle.postfix_settings if each.name in ("smtp_helo_name", "myhostname")), "")
        or f"mail.{domain}"
    )
    if "PTR" in demands or not demands:
        yield Advice(
            "network",
            f"PTR record of {address}: {name}, and an {'AAAA' if family == 'ip6' else 'A'} record of {name} that leads back to {address}; the owner of the network (provider, cloud) sets it",
        )
        if family == "ip6":
            yield Advice(
                "Postfix",
                "postconf -e inet_protocols=ipv4 && postfix reload   # IPv4 only, until the IPv6 address has its PTR record; qmail, Exim (disable_ipv6 = true) and others likewise",
            )
    if "SPF" in demands or not demands:
        record = _spf_record(path, domain)
        value = record.values[0].strip('"') if record else "v=spf1 mx ~all"
        if f"{family}:{address}" not in value:
            value = value.replace("v=spf1", f"v=spf1 {family}:{address}", 1)
        yield Advice(
            "network",
            f'TXT record of {record.name if record else domain}: "{value}"   # SPF: the one record that lists {address} besides what it lists today',
        )
    if "DKIM" in demands or not demands:
        yield Advice(
            "network",
            f"Sign with DKIM for {domain}: where Exchange Online sends, New-DkimSigningConfig -DomainName {domain} -Enabled $true after its two CNAME records are published; where your own server sends, OpenDKIM or rspamd as milter, with the TXT record SELECTOR._domainkey.{domain}",
        )
    if "DMARC" in demands or not demands:
        yield Advice(
            "network",
            f'TXT record of _dmarc.{domain}: "v=DMARC1; p=none; rua=mailto:postmaster@{domain}"   # DMARC passes when SPF or DKIM passes for the domain of From',
        )
    if "TLS" in demands:
        yield Advice(
            "Postfix",
            "postconf -e smtp_tls_security_level=may && postfix reload   # opportunistic TLS towards everybody; unset means none",
        )
