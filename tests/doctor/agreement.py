"""Folders of one tenant's exports with a session's log, made by a seed, and what four commands say of each.

`doctor`, `explain --exchange-online`, `doctor --next` and `hybrid exchange` read the same files; where one of them
names a verdict, a connector or what is missing, the others must not say otherwise.
"""

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from end_to_end.installation import in_this_process
from pki import Issued, Pki

HOSTS = ("mail.contoso.example", "relay.contoso.example", "a.b.contoso.example", "mail.fabrikam.example")
PATTERNS = (*HOSTS, "*.contoso.example", "*.b.contoso.example", "*.fabrikam.example", "contoso.example", "")
DOMAINS = ("contoso.example", "fabrikam.example", "mail.contoso.example", "b.contoso.example")
SENDERS = ("ann@contoso.example", "ann@fabrikam.example", "root@b.contoso.example", "eve@elsewhere.example", "")
ADDRESSES = ("198.51.100.7", "198.51.100.8", "203.0.113.9")
OUTSIDE = "bob@far.example"
REFUSED = "550 5.7.64 TenantAttribution; Relay Access Denied [AM4PEPF0001.eop-EUR05.prod.protection.outlook.com]"

ATTRIBUTION = {
    "connector-disabled": ("connector-disabled",),
    "partner-type-connector": (),
    "no-inbound-connector": (),
    "renewed-certificate-other-name": ("certificate-name-does-not-match", "certificate-name-matches-no-connector"),
    "wildcard-certificate-for-exact-name": ("wildcard-certificate-for-exact-name",),
    "egress-address-changed": ("address-not-in-range", "address-matches-no-connector"),
    "egress-address-partly-listed": ("address-not-in-range", "address-matches-no-connector"),
    "sender-domain-not-accepted": ("reverse-path-domain-not-verified", "address-needs-owned-reverse-path"),
    "certificate-and-sender-domain-not-accepted": ("certificate-name-not-owned",),
    "null-sender-by-address": ("null-reverse-path-by-address-only",),
}
"""Causes that the relay decides, and the reasons of attribution that say the same."""


@dataclass(frozen=True, kw_only=True)
class Case:
    folder: Path
    sender: str
    present: Issued | None
    """What the logged session presents."""
    following: Issued
    refused: bool
    """Whether the log holds the relay's refusal; else it ends before the answer."""
    connectors: list[dict[str, Any]]


class Authority:
    """Certificates made once and used by many folders."""

    def __init__(self, folder: Path) -> None:
        self.pki = Pki(folder)
        self._made: dict[tuple[str, str], Issued] = {}

    def leaf(self, name: str, kind: str = "good") -> Issued:
        if (name, kind) not in self._made:
            made = self.pki.self_signed(name) if kind == "self-signed" else self.pki.leaf(name)
            self._made[name, kind] = made
        return self._made[name, kind]


def made(seed: int, folder: Path, authority: Authority) -> Case:
    chance = random.Random(seed)
    folder.mkdir()
    domains = chance.sample(DOMAINS, chance.randint(1, 3))
    connectors = [_connector(chance, number) for number in range(chance.choice((0, 1, 1, 1, 2, 2, 3)))]
    name = chance.choice((*HOSTS, "*.contoso.example"))
    kind = chance.choice(("good",) * 5 + ("self-signed",))
    present = authority.leaf(name, kind) if chance.random() < 0.8 else None
    following = authority.leaf(chance.choice((name, *HOSTS, "*.contoso.example")), "good")
    sender, refused = chance.choice(SENDERS), chance.random() < 0.6
    _write(folder / "inbound.json", connectors)
    _write(folder / "domains.json", [_domain(chance, each) for each in domains])
    if not connectors:
        (folder / "inbound.json").unlink()
        (folder / "none.txt").write_text("PS C:\\> Get-InboundConnector\nPS C:\\> Get-Date\n")
    (folder / "SEND.log").write_text("".join(_log(chance, present, sender, refused)))
    return Case(
        folder=folder, sender=sender, present=present, following=following, refused=refused, connectors=connectors
    )


def _write(file: Path, document: object) -> None:
    file.write_text(json.dumps(document))


def _domain(chance: random.Random, name: str) -> dict[str, object]:
    below = chance.random() < 0.2
    kind = "InternalRelay" if below else "Authoritative"
    return {"Name": name, "DomainName": name, "DomainType": kind, "MatchSubDomains": below}


def _connector(chance: random.Random, number: int) -> dict[str, Any]:
    by_name = chance.random() < 0.6
    return {
        "Name": f"From office {number}",
        "ConnectorType": chance.choice(("OnPremises", "OnPremises", "OnPremises", "Partner")),
        "Enabled": chance.random() < 0.8,
        "SenderDomains": ["smtp:*;1"],
        "TlsSenderCertificateName": chance.choice(PATTERNS) if by_name else "",
        "SenderIPAddresses": [] if by_name else chance.sample(ADDRESSES, chance.randint(1, 2)),
        "RequireTls": True,
    }


def _log(chance: random.Random, present: Issued | None, sender: str, refused: bool) -> Iterator[str]:
    hello = chance.choice(ADDRESSES)
    said = [
        ("+", "", ""),
        ("<", "220 x.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready", ""),
        (">", "EHLO mail.contoso.example", ""),
        ("<", f"250  x.mail.protection.outlook.com Hello [{hello}] SIZE 157286400 STARTTLS", ""),
    ]
    if present is not None:
        names = [present.certificate.subject.rfc4514_string(), present.certificate.issuer.rfc4514_string()]
        said += [
            (">", "STARTTLS", ""),
            ("<", "220 2.0.0 SMTP server ready", ""),
            ("*", "", "Sending certificate"),
            ("*", names[0], "Certificate subject"),
            ("*", names[1], "Certificate issuer name"),
            ("*", f"{present.certificate.serial_number:X}", "Certificate serial number"),
            ("*", present.certificate.fingerprint(_sha1()).hex().upper(), "Certificate thumbprint"),
            ("*", present.name, "Certificate alternate names"),
        ]
    said += [(">", f"MAIL FROM:<{sender}>", ""), (">", f"RCPT TO:<{OUTSIDE}>", "")]
    if refused:
        said.append(("<", REFUSED, ""))
    for number, (event, data, context) in enumerate(said):
        row = f"2026-11-02T08:00:{number:02}.000Z,Out,08DE0001A2B3C4D5,{number},10.0.0.4:5011,203.0.113.36:25"
        yield f"{row},{event},{data},{context}\n"


def _sha1() -> Any:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA1()


# --- what the four commands say ---------------------------------------------------------------------------------------


def says(authority: Authority, *arguments: object) -> Any:
    environment = {"GATEPOST_CONFIG": "/nonexistent.toml", "SSL_CERT_FILE": str(authority.pki.roots_file)}
    with patch.dict(os.environ, environment):
        done = in_this_process(*map(str, arguments), "--json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def contradictions(case: Case, authority: Authority) -> Iterator[str]:
    session = ("--mail-from", case.sender, "--rcpt-to", OUTSIDE)
    explained = says(authority, "explain", "--exchange-online", case.folder, *session)
    doctor = says(authority, "doctor", case.folder)
    yield from _doctor_against_explain(case, doctor, explained)
    yield from _repair_against_explain(case, authority, doctor)
    yield from _next_against_explain(case, authority)
    yield from _hybrid_against_explain(case, authority)


def _doctor_against_explain(case: Case, doctor: Any, explained: Any) -> Iterator[str]:
    reasons = {each["code"] for each in explained["reasons"]}
    taken = explained["outcome"] in ("relay", "deliver", "incoming")
    for finding in doctor["findings"]:
        rule, sure = finding["rule"], finding["confidence"]
        if rule not in ATTRIBUTION or sure == "low":
            continue
        if taken:
            yield f"doctor says {rule} ({sure}), explain {explained['outcome']} by {explained['connector']}"
        elif ATTRIBUTION[rule] and not reasons & set(ATTRIBUTION[rule]) and not _none_is_on(case, rule):
            yield f"doctor says {rule} ({sure}), explain only {sorted(reasons)}"
        elif blamed := _connectors_changed(finding) - _connectors_blamed(explained, ATTRIBUTION[rule]):
            yield f"doctor changes {sorted(blamed)} for {rule}, explain says {explained['reasons']}"
    if not taken and case.refused and not doctor["findings"]:
        yield "doctor finds nothing, explain refuses"


def _none_is_on(case: Case, rule: str) -> bool:
    """The only connectors are disabled: true of every session, whatever else a reason names."""
    return rule == "connector-disabled" and not any(each["Enabled"] for each in case.connectors)


def _repair_against_explain(case: Case, authority: Authority, doctor: Any) -> Iterator[str]:
    """After a repair that the doctor is sure of, and any that it needs beside it, the same session is relayed."""
    first = next(iter(doctor["findings"]), None)
    if first is None or first["confidence"] != "high" or first.get("together_with"):
        return
    connectors = {each["Name"]: dict(each) for each in case.connectors}
    set_by = (_SET.match(fix["command"]) for fix in first["fix"] if fix["where"] == "Exchange Online")
    edits = [each for each in set_by if each and each["name"] in connectors]
    if not edits:
        return
    for edit in edits[:1]:
        connector = connectors[edit["name"]]
        if edit["property"] == "SenderIPAddresses":
            connector["SenderIPAddresses"] = [*connector["SenderIPAddresses"], *re.findall(r"[\d.]{7,}", edit["value"])]
        else:
            connector[edit["property"]] = {"$true": True, "$false": False}.get(edit["value"], edit["value"].strip("'"))
    repaired = case.folder.parent / f"{case.folder.name}-repaired"
    shutil.copytree(case.folder, repaired)
    _write(repaired / "inbound.json", list(connectors.values()))
    own = next((each["command"].rpartition(" ")[2] for each in first["fix"] if each["where"] == "application"), "")
    session = ("--mail-from", f"sender@{own}" if own else case.sender, "--rcpt-to", OUTSIDE)
    after = says(authority, "explain", "--exchange-online", repaired, *session)
    if after["outcome"] != "relay":
        codes = sorted(each["code"] for each in after["reasons"])
        yield f"doctor repairs with {edits[0][0]}; then explain says {codes}"


_SET = re.compile(
    r"Set-InboundConnector -Identity '(?P<name>[^']*)' -(?P<property>\w+) (?P<value>@\{[^}]*\}|'[^']*'|\S+)"
)


def _connectors_changed(finding: Any) -> set[str]:
    """Those that the repair sets, by name."""
    return {
        name
        for fix in finding["fix"]
        for name in re.findall(r"Set-InboundConnector -Identity '([^']*)'", fix["command"])
    }


def _connectors_blamed(explained: Any, codes: tuple[str, ...]) -> set[str]:
    """Those that the reasons name; what no connector has is every enabled connector's lack."""
    reasons = [each for each in explained["reasons"] if each["code"] in codes]
    if any(each["connector"] is None for each in reasons):
        return {f"From office {number}" for number in range(3)}
    return {each["connector"].rpartition("/")[2] for each in reasons}


def _by_certificate(authority: Authority, folder: Path, leaf: Issued) -> Any:
    """What a session of the tenant's own sender with that certificate from an unlisted address gets."""
    own = json.loads((folder / "domains.json").read_text())[0]["DomainName"]
    session = ("--mail-from", f"sender@{own}", "--rcpt-to", OUTSIDE, "--certificate", leaf.chain_file)
    return says(authority, "explain", "--exchange-online", folder, *session)


def _next_against_explain(case: Case, authority: Authority) -> Iterator[str]:
    rehearsed = says(authority, "doctor", "--next", case.following.chain_file, case.folder)
    said = {each["rule"]: each["summary"] for each in rehearsed["findings"]}
    renamed = said.get("renewed-certificate-other-name", "")
    after = _by_certificate(authority, case.folder, case.following)
    before = _by_certificate(authority, case.folder, case.present) if case.present else after
    was, will = before["outcome"] == "relay", after["outcome"] == "relay"
    if was and not will and not renamed:
        yield f"--next says {sorted(said)}; explain relays the present one by {before['connector']}, refuses the next"
    if will and "every relayed message will be refused" in renamed:
        yield f"--next says every message will be refused; explain relays by {after['connector']}"
    if will and f"'{after['connector']}' goes by" in renamed:
        yield f"--next says that {after['connector']} does not know the next certificate; explain relays by it"


def _hybrid_against_explain(case: Case, authority: Authority) -> Iterator[str]:
    """After what the wizard plans, a session with the certificate is relayed."""
    with_domain = ("--domain", "contoso.example", "--routing-domain", "contoso.mail.onmicrosoft.com")
    arguments = ("hybrid", "exchange", case.folder, *with_domain, "--smart-host", "mail.contoso.example")
    none = [] if case.connectors else ["--none", "InboundConnector"]
    environment = {"GATEPOST_CONFIG": "/nonexistent.toml", "SSL_CERT_FILE": str(authority.pki.roots_file)}
    with patch.dict(os.environ, environment):
        done = in_this_process(*map(str, arguments), *none, "--certificate", str(case.following.chain_file), "--json")
    if done.returncode:
        assert "accepted domain" in done.stderr, done.stderr
        return
    changed = {each["Name"]: dict(each) for each in case.connectors}
    for change in json.loads(done.stdout)["changes"]:
        kind, _, name = change["object"].partition(" ")
        if kind == "InboundConnector":
            changed.setdefault(name, {"Name": name}).update(change["after"])
    planned = case.folder.parent / f"{case.folder.name}-planned"
    planned.mkdir()
    _write(planned / "inbound.json", list(changed.values()))
    (planned / "domains.json").write_text((case.folder / "domains.json").read_text())
    after = _by_certificate(authority, planned, case.following)
    if after["outcome"] != "relay":
        yield f"the wizard's plan leaves {changed}, explain says {sorted(each['code'] for each in after['reasons'])}"
