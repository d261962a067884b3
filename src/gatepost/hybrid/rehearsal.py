"""A rehearsal: a real session over the real path with the next certificate, and what the relay made of it.

Laws: no content is sent; what the relay saw is compared with what was shown here, because a device on the way shows in
the difference; the relay's own verdict decides, not a guess of ours.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from gatepost.hybrid.installation import Installation
from gatepost.hybrid.ports import Clock, Credentials, ProbedSession, RelayApi
from gatepost.hybrid.request import SetupRequest
from gatepost.hybrid.sides import tenant_noting_token
from gatepost.hybrid.usable import usable_credentials

_RECORD_S, _RECORD_LOOK_S = 10.0, 0.1
"""How long the relay may take to write down what it saw."""

SEEN_REPLY = "rehearsal-seen"
"""What the relay answers to the rehearsal's recipient, once it has recorded the session."""

_REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What was presented on this side."""

    ehlo: str | None
    chain_sha256: tuple[str, ...]
    """Leaf first; empty: no certificate."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    seen: Mapping[str, Any] | None
    """As the relay recorded it; None: the session did not get that far."""
    verdicts: tuple[Mapping[str, Any], ...]
    differences: tuple[str, ...]
    """Where the relay saw something other than was presented."""
    problems: tuple[str, ...]
    """Why the session did not get as far as it should."""
    accepted: bool


def concluded(
    presented: Presented, answer: Mapping[str, Any] | None, problems: Sequence[str], *, starttls: bool, reached: bool
) -> Rehearsal:
    """`answer` is what the relay's interface says of the rehearsal; `reached`: the session got an SMTP greeting."""
    seen = answer["seen"] if answer else None
    verdicts = tuple(answer["verdicts"]) if answer and seen else ()
    found = [*problems]
    if reached and not starttls:
        found.append(
            "STARTTLS was not offered on this path, although the relay offers it: a device between (firewall, proxy) "
            "removes it; exempt this connection from SMTP inspection"
        )
    if seen is None and reached:
        found.append("the relay has no record of the session: the path may not lead to it; check the smart host")
    return Rehearsal(
        seen=seen,
        verdicts=verdicts,
        # Without TLS nothing that was held ready could arrive.
        differences=tuple(_differences(presented, seen)) if seen and starttls else (),
        problems=tuple(found),
        accepted=_accepted(verdicts, presented),
    )


def _accepted(verdicts: Sequence[Mapping[str, Any]], presented: Presented) -> bool:
    """A certificate must carry every envelope; an address alone carries the first, the own sender."""
    decisive = verdicts if presented.chain_sha256 else verdicts[:1]
    return bool(decisive) and all(each["outcome"] != _REFUSED for each in decisive)


def _differences(presented: Presented, seen: Mapping[str, Any]) -> list[str]:
    found = []
    certificate = seen_certificate(seen)
    received = tuple(each["sha256"] for each in certificate["chain"]) if certificate else ()
    if presented.chain_sha256 and not received:
        found.append(
            "a certificate was shown here, but none arrived: a device between ends TLS; exempt this connection from "
            "inspection, or let that device show your certificate"
        )
    elif certificate and presented.chain_sha256 and received[0] != presented.chain_sha256[0]:
        found.append(
            f"the relay saw another certificate ({', '.join(certificate['names']) or certificate['subject']}) than was "
            "shown here: a device between ends TLS and shows its own; exempt this connection from inspection"
        )
    elif missing := [each for each in presented.chain_sha256[1:] if each not in received]:
        found.append(f"{len(missing)} of {len(presented.chain_sha256) - 1} intermediates did not arrive at the relay")
    if presented.ehlo and seen.get("ehlo") and seen["ehlo"].casefold() != presented.ehlo.casefold():
        found.append(
            f"the relay was greeted by {seen['ehlo']}, not by {presented.ehlo}: a gateway between speaks for you"
        )
    return found


def seen_certificate(seen: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tls = seen.get("tls")
    return tls["certificate"] if tls else None


def why_refused(rehearsal: Rehearsal) -> str:
    """One line for the administrator; empty when it was accepted."""
    if rehearsal.accepted:
        return ""
    for line in (*rehearsal.differences, *rehearsal.problems):
        return line
    for verdict in rehearsal.verdicts:
        if verdict["outcome"] == _REFUSED:
            reason = next((f"{each['code']}: {each['says']}" for each in verdict["reasons"]), verdict["reply"])
            return f"the relay would refuse <{verdict['mail_from']}>: {reason.rstrip('.')}"
    return "the relay gave no verdict"


# --- the session -----------------------------------------------------------------------------------------------------


def rehearse(here: Installation, request: SetupRequest, *, source_address: str | None = None) -> Rehearsal:
    """A session over the real path with the certificate of `request`; what the relay saw, and would decide. Raises
    `ApplyError`, `UnusableFile`, `NotPossible`."""
    ports, credentials = here.ports, None
    if request.certificate:
        credentials = usable_credentials(ports.certificates, *request.files, ports.clock.now())
    with closing(ports.relay(request)) as api:
        base = f"/v1/tenants/{tenant_noting_token(here, api, request)}/rehearsals"
        opened = api.request("POST", base, {"envelopes": _envelopes(request.domains)}).body
        files = request.files if credentials else None
        session = ports.probe(request.smart_host, credentials, files, opened["address"], source_address)
        answer = _recorded(api, f"{base}/{opened['id']}", ports.clock, wait=_was_seen(session))
    return _concluded(session, credentials, answer)


def _envelopes(domains: Sequence[str]) -> list[dict[str, str]]:
    """From an own sender, the null one and a foreign one, to the outside: the three are decided differently. None:
    the relay chooses the own sender."""
    if not domains:
        return []
    own = f"postmaster@{domains[0]}"
    # RFC 2606 2: nobody's domains.
    return [
        {"mail_from": sender, "rcpt_to": "someone@outside.example"} for sender in (own, "", "someone@foreign.example")
    ]


def _was_seen(session: ProbedSession) -> bool:
    return any(SEEN_REPLY in reply for reply in session.replies_to_rcpt)


def _recorded(api: RelayApi, path: str, clock: Clock, *, wait: bool) -> Mapping[str, Any]:
    """What the relay has on record; it writes a moment after it has replied."""
    deadline = clock.elapsed() + (_RECORD_S if wait else 0.0)
    while True:
        answer: Mapping[str, Any] = api.request("GET", path).body
        if answer["state"] == "seen" or clock.elapsed() > deadline:
            return answer
        clock.sleep(_RECORD_LOOK_S)


def _concluded(session: ProbedSession, credentials: Credentials | None, answer: Mapping[str, Any]) -> Rehearsal:
    presented = Presented(
        ehlo=session.ehlo,
        chain_sha256=tuple(each.sha256 for each in credentials.chain) if credentials else (),
        names=credentials.leaf.names if credentials else (),
    )
    seen = answer if answer["state"] == "seen" else None
    problems = () if seen else session.problems
    return concluded(presented, seen, problems, starttls=session.starttls, reached=session.reached)
