"""Names that the relay or the receiver asks for: its own resolver, and block lists that refuse one."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.addresses import is_private, parsed_address
from gatepost.doctor.causes import cause_named
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.evidence import DnsAnswer
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, seen
from gatepost.doctor.repairs import Advice
from gatepost.doctor.senders import domain_of
from gatepost.exchange.powershell import argument


def relay_resolves_names(path: MailPath) -> Iterator[Check]:
    """Postfix cannot resolve what the host can: its services live in a chroot without the resolver's files."""
    failed = signs(path, "name-not-resolved-for-now")
    if not failed or not (path.bundle.postfix_deliveries or path.bundle.postfix_settings):
        return
    if any(each.status == "sent" for each in path.bundle.postfix_deliveries):
        return  # A chroot that lacks the files resolves no name at all.
    jail = signs(path, "chroot-files")
    chrooted = [each for each in path.bundle.postfix_settings if each.name == "chroot" and each.value == "y"]
    standing = "broken" if jail or chrooted else "unknown"
    yield Check(
        cause="chrooted-relay-cannot-resolve",
        standing="broken" if standing == "broken" else "unknown",
        subject="chroot",
        says="The host resolves the name, Postfix does not: its smtp service runs in the chroot /var/spool/postfix, which lacks the resolver's files.",
        premises=tuple(seen(each, each) for each in (*failed[:1], *jail[:1], *chrooted[:1])),
        explains=frozenset(("name-not-resolved-for-now", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "Postfix",
                "cp /etc/resolv.conf /etc/nsswitch.conf /etc/hosts /etc/services /var/spool/postfix/etc/ && postfix reload",
            ),
            Advice(
                "Postfix",
                "postconf -F 'smtp/unix/chroot=n' && postfix reload   # or take the service out of the chroot",
            ),
        ),
        verify="The next delivery line names a relay instead of relay=none.",
        needs=()
        if jail or chrooted
        else (
            Need("ls -l /var/spool/postfix/etc; grep -E '^(smtp|relay)' /etc/postfix/master.cf; dig +short NAME", 1),
        ),
        place=30,
    )


def own_domain_has_its_exchanger_inside(path: MailPath) -> Iterator[Check]:
    """RFC 5321 5.1: without an MX record the domain's address counts. An inside zone of that name holds the domain
    controllers' addresses, and seldom the MX record of the public one."""
    for delivery in path.bundle.postfix_deliveries:
        domain = domain_of(delivery.forward_path)
        tried = _TRIED.search(delivery.response)
        address = parsed_address(tried["address"]) if tried else None
        if not domain or tried is None or tried["host"].casefold() != domain or address is None:
            continue
        if not is_private(address):
            continue
        public = next((each for each in path.bundle.dns if each.kind == "MX" and _is_of(each, domain)), None)
        endpoint = public.values[0].split()[-1].rstrip(".") if public else values.endpoint_made_of(domain)
        shown: tuple[Told[object], ...] = (
            (seen(endpoint, public, f"another resolver's MX of {domain}: {endpoint}"),) if public else ()
        )
        yield Check(
            cause="dns-routing-instead-of-smart-host",
            standing="broken",
            subject=domain,
            says=f"The resolver of {delivery.host or 'this host'} has an inside zone {domain} without an MX record, so mail for it goes to the zone's own address {address} (RFC 5321 5.1) instead of {endpoint}.",
            premises=(seen(delivery, delivery), *shown),
            explains=frozenset(("nothing-goes", "listener-unreachable")),
            way="out",
            edits=(
                Advice(
                    "Windows",
                    f"Add-DnsServerResourceRecordMX -ZoneName {argument(domain)} -Name . -MailExchange {argument(endpoint)} -Preference 0   # on the DNS server of the inside zone",
                ),
                Advice(
                    "Postfix",
                    f"postconf -e 'transport_maps = hash:/etc/postfix/transport' && echo '{domain} smtp:[{endpoint}]:25' >> /etc/postfix/transport && postmap /etc/postfix/transport && postfix reload   # or this, on the mail server alone",
                ),
            ),
            verify=f"dig +short MX {domain} on the mail server prints {endpoint}, and the queue drains.",
            alone=True,
            place=45,
        )
        return


_TRIED: Final = re.compile(r"connect to (?P<host>[\w.-]{1,253})\[(?P<address>[0-9A-Fa-f.:]{3,45})\]")


def _is_of(answer: DnsAnswer, domain: str) -> bool:
    return answer.name.casefold().rstrip(".") == domain and bool(answer.values)


def block_list_answers(path: MailPath) -> Iterator[Check]:
    """127.255.255.x is the list's way of saying that it does not answer that resolver."""
    refused = signs(path, "resolver-refused-by-list")
    if not refused:
        return
    cause = cause_named("block-list-refuses-resolver")
    yield Check(
        cause=cause.id,
        standing="broken",
        subject="block list",
        says=cause.says,
        premises=tuple(seen(each, each) for each in refused[:2]),
        explains=frozenset(("resolver-refused-by-list", "block-list-query-refused", "block-listed")),
        edits=tuple(Advice(each.where, each.command) for each in cause.repair),
        verify=cause.verify,
        place=95,
    )


def address_is_on_no_block_list(path: MailPath) -> Iterator[Check]:
    """The service answers a listed address without STARTTLS, with its banner whole; inspection would mask that too."""
    listed = signs(path, "block-listed")
    if not listed or signs(path, "resolver-refused-by-list"):
        return
    bare = next(
        (each for each in path.sessions if each.way == "out" and _without_starttls(each.log.banner, each.log.keywords)),
        None,
    )
    if bare is None:
        return
    address = bare.log.hello_address or "the sending address"
    yield Check(
        cause="address-block-listed",
        standing="broken",
        subject=address,
        says=f"{address} is on a block list, and the service answers a listed address without STARTTLS; its banner is whole, so nothing on the way masks it.",
        premises=(
            seen(listed[0], listed[0]),
            seen(bare.log, bare.log, "the EHLO reply lacks STARTTLS, the banner is readable"),
        ),
        explains=frozenset(("no-starttls", "block-listed", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "network",
                f"Find the host behind {address} that sends spam and clean it, then ask the block list to delist {address}; until then send from another address that the connector lists",
            ),
        ),
        verify="The EHLO reply to that address offers STARTTLS again.",
        place=45,
    )


def _without_starttls(banner: str, keywords: tuple[str, ...]) -> bool:
    readable = "mail.protection.outlook.com" in banner.casefold() or "ESMTP" in banner
    return (
        bool(keywords)
        and not any(each.startswith(("STARTTLS", "X-XX", "XXXX")) for each in keywords)
        and readable
        and "***" not in banner
    )
