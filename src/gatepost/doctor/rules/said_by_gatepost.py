"""What a Gatepost relay says itself: its reply and `gatepost why` carry the reason, so nothing has to be inferred."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from shlex import quote as shell_quoted
from typing import NamedTuple

from gatepost.doctor.addresses import parsed_address
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, GatepostVerdict, Side
from gatepost.doctor.finding import Finding, Fix, RuledOut, cite, found, rule
from gatepost.doctor.sentences import every, speaks_of


class _Cause(NamedTuple):
    catalogue: tuple[str, ...]
    side: Side
    fix: str


_CAUSES: dict[str, _Cause] = {
    "no-certificate-presented": _Cause(("B13", "B03", "B17"), "sender", "gatepost probe HOST --certificate CERT.pem --key KEY.pem   # then set that certificate on the sending side"),
    "certificate-expired": _Cause(("C03",), "sender", "openssl x509 -noout -enddate -in CERT.pem   # renew it, and reload the sender"),
    "certificate-not-yet-valid": _Cause(("C07",), "sender", "timedatectl   # correct the clock, or wait until the certificate becomes valid"),
    "certificate-self-signed": _Cause(("C02",), "pki", "gatepost inbound-connector set TENANT NAME --add-certificate-sha256 HEX   # or a certificate of a known authority"),
    "certificate-issuer-unknown": _Cause(("C02", "C01"), "pki", "gatepost inbound-connector set TENANT NAME --add-trust-anchor ROOT.pem"),
    "certificate-intermediate-missing": _Cause(("C01",), "sender", "cat leaf.pem intermediate.pem > fullchain.pem   # and present that file"),
    "certificate-purpose": _Cause(("D01",), "tenant", "gatepost inbound-connector set TENANT NAME --add-public-key-sha256 HEX   # or let the listener accept certificates for servers"),
    "certificate-weak-key": _Cause(("C08",), "pki", "# have the certificate reissued with a key of 2048 bits or more"),
    "certificate-name-matches-no-connector": _Cause(("A01", "A02"), "tenant", "gatepost inbound-connector set TENANT NAME --add-certificate-name '<name presented>'"),
    "wildcard-certificate-for-exact-name": _Cause(("A02",), "tenant", "gatepost inbound-connector set TENANT NAME --add-certificate-name '*.<domain>'"),
    "certificate-name-not-owned": _Cause(("F01",), "tenant", "gatepost domain add TENANT DOMAIN; gatepost domain verify DOMAIN"),
    "address-matches-no-connector": _Cause(("E01",), "tenant", "gatepost inbound-connector set TENANT NAME --add-address ADDRESS"),
    "address-needs-owned-reverse-path": _Cause(("F05", "F04"), "tenant", "gatepost domain add TENANT DOMAIN; gatepost domain verify DOMAIN"),
    "null-reverse-path-by-address-only": _Cause(("F02",), "tenant", "gatepost inbound-connector set TENANT NAME --add-certificate-name '<name>'"),
    "reverse-path-domain-not-verified": _Cause(("F05",), "tenant", "gatepost domain verify DOMAIN"),
    "connector-disabled": _Cause(("G02",), "tenant", "gatepost inbound-connector enable TENANT NAME"),
    "conflicting-tenants": _Cause(("G07",), "tenant", "# give each tenant's connector a certificate name of its own"),
    "tls-required": _Cause(("B17",), "sender", "postconf -e 'smtp_tls_security_level = encrypt' && postfix reload"),
    "direct-send-rejected": _Cause(("G09",), "tenant", "gatepost inbound-connector add TENANT NAME --add-certificate-name '<name>'"),
    "several-recipient-domains": _Cause(("F08",), "tenant", "# repair the attribution; until then send one recipient domain per transaction"),
}  # fmt: skip


def _filled(fix: str, verdict: GatepostVerdict, connector: str, says: str) -> str:
    """The command with what the verdict tells in its blanks; what it does not tell stays a blank."""
    tenant, _, name = connector.rpartition("/")
    known = {
        "TENANT": verdict.tenant or tenant,
        "NAME": name,
        "ADDRESS": verdict.address or next((each for each in says.split() if parsed_address(each)), ""),
        "DOMAIN": found_in[1] if (found_in := speaks_of(says, "said-by-gatepost.domain")) else "",
        "'<name presented>'": found_in[1] if (found_in := speaks_of(says, "said-by-gatepost.name")) else "",
    }
    for blank in every(fix, "said-by-gatepost.blank"):
        fix = fix.replace(blank[0], shell_quoted(known[blank[0]]) if known[blank[0]] else blank[0])
    return fix


@rule("relay-said-why", title="The relay says itself why it refused", side="tenant")
def relay_said_why(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    for verdict in bundle.verdicts:
        if verdict.outcome not in ("refused", ""):
            continue
        for code, connector, says in verdict.reasons:
            if cause := _CAUSES.get(code):
                certain = len(cause.catalogue) == 1
                return found(
                    "high" if certain else "medium",
                    94,
                    f"The relay refused with the reason {code}" + (f": {says.rstrip('.')}." if says else "."),
                    [cite(verdict, f"{code}: {says or verdict.reply}")],
                    fix=[Fix("Gatepost", _filled(cause.fix, verdict, connector, says))],
                    verify="gatepost explain with the same certificate, address and sender says relay.",
                    catalogue=cause.catalogue,
                    side=cause.side,
                )
    return None
