"""What a domain publishes about the certificate of its mail server (RFC 7672), against the certificate itself."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gatepost.doctor.checks.check import Check
from gatepost.doctor.evidence import CertificateSeen, DnsAnswer
from gatepost.doctor.path.objects import MailPath, carries
from gatepost.doctor.path.told import seen
from gatepost.doctor.repairs import Advice

_OF_A_SERVER: Final = re.compile(r"^_(?P<port>\d{1,5})\._tcp\.(?P<host>.{1,253}?)\.?$")
_RECORD: Final = re.compile(r"^3 (?P<selector>[01]) 1 (?P<digest>[0-9A-Fa-f ]{64,80})$")
"""Usage 3 (DANE-EE) with SHA-256, as RFC 7672 3.1 recommends: the record names the server's own certificate or key."""


class _Published(NamedTuple):
    answer: DnsAnswer
    host: str
    by_key: bool
    digest: str


def certificate_is_the_published_one(path: MailPath) -> Iterator[Check]:
    """Senders that ask for the TLSA record defer what it does not cover, and nobody else notices anything."""
    published = list(_published(path))
    for host in dict.fromkeys(each.host for each in published):
        records = [each for each in published if each.host == host]
        own = [each for each in path.bundle.certificates if not each.is_authority and carries(each, host)]
        certificate = next((each for each in own if each.public_key_sha256), None)
        if certificate is None:
            continue
        fitting = any(_digest(certificate, each.by_key) == each.digest for each in records)
        first = records[0]
        name = first.answer.name.rstrip(".")
        now = _digest(certificate, first.by_key)
        yield Check(
            cause="recipient-policy-demands-tls",
            standing="holds" if fitting else "broken",
            subject=name,
            says=f"the TLSA record of {host} covers its certificate"
            if fitting
            else f"The TLSA record {name} holds the digest of another {'key' if first.by_key else 'certificate'} than {host} has now: senders that obey DANE defer their mail. The certificate was renewed with a new key and the record was not.",
            premises=(
                seen(first.digest, first.answer, f"{name}: TLSA 3 {int(first.by_key)} 1 {first.digest[:16]}…"),
                seen(certificate, certificate, f"the certificate's digest is {now[:16]}…"),
            ),
            explains=frozenset(("peer-untrusted", "issuer-not-found", "dane-or-mta-sts", "peer-refuses-us")),
            edits=(
                Advice(
                    "network",
                    f"Publish {name}. IN TLSA 3 {int(first.by_key)} 1 {now} beside the old record, and take the old record away after its TTL",
                ),
                Advice(
                    "application",
                    f"certbot: reuse_key = True in /etc/letsencrypt/renewal/{host}.conf, so that the next renewal keeps the key; or publish the new key's record before each change of the key",
                ),
            ),
            verify=f"posttls-finger -l dane {host.partition('.')[2]} says Verified.",
            alone=not fitting,
            place=10,
        )


def _published(path: MailPath) -> Iterator[_Published]:
    for answer in path.bundle.dns:
        server = _OF_A_SERVER.match(answer.name.casefold())
        if answer.kind != "TLSA" or server is None:
            continue
        for value in answer.values:
            if (record := _RECORD.match(value.strip())) is not None:
                digest = "".join(record["digest"].split()).casefold()
                yield _Published(answer, server["host"], record["selector"] == "1", digest)


def _digest(certificate: CertificateSeen, by_key: bool) -> str:
    return (certificate.public_key_sha256 if by_key else certificate.sha256).casefold()
