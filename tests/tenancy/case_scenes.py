"""A session of contoso's or fabrikam's servers, as the parts of attribution get it: a `Case`, before any verdict."""

from ipaddress import ip_address
from typing import Any

from gatepost.tenancy.candidates import gather
from gatepost.tenancy.case import Case
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.rules import GATEPOST, RuleSet
from tenancy.attribution_cases import (
    AT,
    FixtureJudge,
    client_certificate,
    domain,
    inbound_connector,
    path,
    proofs,
    reverse_path,
    send_connector,
    tenant,
    tls,
)
from tenancy.memory_directory import MemoryDirectory

TENANTS = ("contoso", "fabrikam")


def case_of(
    *connectors: dict[str, Any],
    mail_from: str = "",
    to: str = "x@outside.example",
    address: str = "203.0.113.5",
    certificate: dict[str, Any] | None = None,
    encrypted: bool | None = None,
    routes: tuple[str, ...] = (),
    unverified: tuple[str, ...] = (),
    rules: RuleSet = GATEPOST,
) -> Case:
    """Each tenant owns the domain of its name. A connector without a name is called after its place."""
    named = [{"name": f"c{number}", **fields} for number, fields in enumerate(connectors)]
    directory = MemoryDirectory(
        tenants=[tenant(name) for name in TENANTS],
        domains=[domain(f"{name}.com", name, verified=name not in unverified) for name in TENANTS],
        inbound_connectors=[inbound_connector(each) for each in named],
        send_connectors=[send_connector("route", list(routes))] if routes else [],
        proofs=[each for fields in named for each in proofs(fields)],
    )
    evidence = Evidence(
        address=ip_address(address),
        listener="0.0.0.0:25",
        tls=tls(client_certificate(certificate)) if (certificate if encrypted is None else encrypted) else None,
        ehlo="client.example",
        reverse_path=reverse_path(mail_from),
        forward_paths=(path(to),),
    )
    found = gather(directory, evidence, FixtureJudge("verified"), AT)
    return Case(evidence, found, AT, rules)


def codes(case: Case) -> list[tuple[str, str | None]]:
    """What was noted, and under which connector."""
    return [(reason.code.value, reason.connector) for reason in case.reasons]
