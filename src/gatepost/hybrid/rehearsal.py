"""A rehearsal: a real session over the real path with the next certificate, and what the relay made of it.

Laws: no content is sent; what the relay saw is compared with what was shown here, because a device on the way shows in
the difference; the relay's own verdict decides, not a guess of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEEN_REPLY = "rehearsal-seen"
"""What the relay answers to the rehearsal's recipient, once it has recorded the session."""

_REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
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
    """Where the relay saw something other than was shown."""
    problems: tuple[str, ...]
    """Why the session did not get as far as it should."""
    accepted: bool


def concluded(
    shown: Shown, answer: Mapping[str, Any] | None, problems: Sequence[str], *, starttls: bool, reached: bool
) -> Rehearsal:
    """`answer` is what the relay's interface says of the rehearsal; `reached`: the session got an SMTP greeting."""
    seen = answer["seen"] if answer else None
    verdicts = tuple(answer["verdicts"]) if answer and seen else ()
    found = [*problems]
    if reached and not starttls:
        found.append(
            "STARTTLS was not offered on this way, although the relay offers it: a device between (firewall, proxy) "
            "takes it out; exempt this connection from SMTP inspection"
        )
    if seen is None and reached:
        found.append("the relay has no record of the session: this way may not lead to it; check the smart host")
    return Rehearsal(
        seen=seen,
        verdicts=verdicts,
        # Without TLS nothing that was held ready could arrive.
        differences=tuple(_differences(shown, seen)) if seen and starttls else (),
        problems=tuple(found),
        accepted=_accepted(verdicts, shown),
    )


def _accepted(verdicts: Sequence[Mapping[str, Any]], shown: Shown) -> bool:
    """A certificate must carry every envelope; an address alone carries the first, the own sender."""
    decisive = verdicts if shown.chain_sha256 else verdicts[:1]
    return bool(decisive) and all(each["outcome"] != _REFUSED for each in decisive)


def _differences(shown: Shown, seen: Mapping[str, Any]) -> list[str]:
    found = []
    certificate = seen_certificate(seen)
    received = tuple(each["sha256"] for each in certificate["chain"]) if certificate else ()
    if shown.chain_sha256 and not received:
        found.append(
            "a certificate was shown here, but none arrived: a device between ends TLS; exempt this connection from "
            "inspection, or let that device show your certificate"
        )
    elif certificate and shown.chain_sha256 and received[0] != shown.chain_sha256[0]:
        found.append(
            f"the relay saw another certificate ({', '.join(certificate['names']) or certificate['subject']}) than was "
            "shown here: a device between ends TLS and shows its own; exempt this connection from inspection"
        )
    elif missing := [each for each in shown.chain_sha256[1:] if each not in received]:
        found.append(f"{len(missing)} of {len(shown.chain_sha256) - 1} intermediates did not arrive at the relay")
    if shown.ehlo and seen.get("ehlo") and seen["ehlo"].casefold() != shown.ehlo.casefold():
        found.append(f"the relay was greeted by {seen['ehlo']}, not by {shown.ehlo}: a gateway between speaks for you")
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
