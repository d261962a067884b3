"""What somebody observed: a reply, an event, a queue's error, a handshake that broke, somebody's words.

What flows: facts and `replies.toml`, which says what each well-known reply means. Laws: a reply's code and words tell its
meaning, never a translation of its sentence; who said it is part of what it means: the same 4.7.5 is our own verdict in
our queue, and the peer's in a trace of the cloud.
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal

from gatepost.doctor.evidence import EvidenceBundle, ReplySeen
from gatepost.doctor.path.objects import Speaker, Symptom
from gatepost.doctor.path.told import How


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """An entry of replies.toml."""

    means: str
    codes: tuple[int, ...]
    enhanced: tuple[str, ...]
    words: tuple[str, ...]
    """Any of them, lower-case; empty: the codes say enough."""
    never: tuple[str, ...]
    cause: str
    speaker: tuple[str, ...]

    def is_of(self, reply: ReplySeen, text: str) -> bool:
        if self.codes and reply.code not in self.codes:
            return False
        if self.enhanced and not any(fnmatchcase(reply.enhanced, each) for each in self.enhanced):
            return False
        if any(word in text for word in self.never):
            return False
        if self.speaker and not any(each in (reply.said_by or reply.trailer_host).casefold() for each in self.speaker):
            return False
        return not self.words or any(word in text for word in self.words)


@cache
def meanings() -> tuple[Meaning, ...]:
    """The table, the most telling entry first."""
    document = tomllib.loads((files("gatepost.doctor") / "replies.toml").read_text("utf-8"))
    return tuple(
        Meaning(
            means=each["means"],
            codes=tuple(each.get("codes", ())),
            enhanced=tuple(each.get("enhanced", ())),
            words=tuple(each.get("words", ())),
            never=tuple(each.get("never", ())),
            cause=each.get("cause", ""),
            speaker=tuple(each.get("speaker", ())),
        )
        for each in document["reply"]
    )


@cache
def words_of_tables() -> frozenset[str]:
    """Every word by which replies.toml and signs.toml tell something, so that redaction keeps it."""
    texts = [word for each in meanings() for word in (*each.words, *each.never)]
    signs = tomllib.loads((files("gatepost.doctor") / "signs.toml").read_text("utf-8"))["sign"]
    texts += [word for each in signs for key in ("words", "with", "never") for word in each.get(key, ())]
    return frozenset(part for text in texts for part in re.findall(r"[^\W_]+", text))


def meaning_of(reply: ReplySeen) -> Meaning | None:
    text = f"{reply.text} {reply.attr}".casefold()
    return next((each for each in meanings() if each.is_of(reply, text)), None)


@cache
def _named_by_signs() -> dict[str, str]:
    """Kinds of signs.toml with the cause that their lines name."""
    document = tomllib.loads((files("gatepost.doctor") / "signs.toml").read_text("utf-8"))
    return {each["kind"]: each["cause"] for each in document["sign"] if "cause" in each}


def symptoms(bundle: EvidenceBundle) -> tuple[Symptom, ...]:
    return tuple(_symptoms(bundle))


def _symptoms(bundle: EvidenceBundle) -> Iterator[Symptom]:
    for reply in (*bundle.replies, *_said_here(bundle)):
        yield from _of_reply(reply)
    for event in bundle.events:
        if event.event_id == 12014:
            inwards = any(each in event.message.casefold() for each in _LISTENING)
            yield Symptom(
                kind="no-starttls" if inwards else "no-certificate-found",
                how=How.SEEN,
                fact=event,
                says=event.message[:300],
                speaker="here",
                way="in" if inwards else "out",
                server=event.server,
                at=event.at,
            )
    for event in bundle.events:
        if "schannel" in event.provider.casefold() and event.alert in _ALERTS:
            kind, cause = _ALERTS[event.alert]
            yield Symptom(
                kind=kind,
                how=How.SEEN,
                fact=event,
                says=event.message[:300],
                server=event.server,
                at=event.at,
                cause=cause,
            )
    for each in bundle.tls:
        if each.alert in _NOTHING_IN_COMMON or any(words in each.failure.casefold() for words in _NOTHING_SAID):
            kind, cause = _ALERTS[40]
            yield Symptom(kind=kind, how=How.SEEN, fact=each, says=each.quote or each.failure, at=each.at, cause=cause)
        if each.failure and each.log_owner_is != "server":
            kind = "key-unusable" if "credentials" in each.failure.casefold() else "handshake-broke"
            yield Symptom(kind=kind, how=How.SEEN, fact=each, says=each.quote or each.failure, way="out", at=each.at)
        if (
            each.log_owner_is == "server"
            and each.chain_status
            and each.chain_status not in ("Valid", "EmptyCertificate")
        ):
            yield Symptom(
                kind="peer-untrusted",
                how=How.SEEN,
                fact=each,
                says=each.chain_status,
                speaker="here",
                way="in",
                at=each.at,
            )
    for sign in bundle.signs:
        yield Symptom(
            kind=sign.kind, how=How.SEEN, fact=sign, says=sign.quote, cause=_named_by_signs().get(sign.kind, "")
        )
    for fact in bundle.prose:
        if (told := _IN_WORDS.get(fact.topic)) and not fact.negated:
            yield Symptom(kind=told, how=How.CLAIMED, fact=fact, says=fact.quote, way=_WAYS.get(told, ""))


_ALERTS = {70: ("old-tls-only", "only-old-tls-versions"), 40: ("handshake-failure", "no-common-cipher")}
"""RFC 8446 6: protocol_version, handshake_failure; of other alerts Schannel's events do not say enough."""
_NOTHING_IN_COMMON = (40, 71)
_NOTHING_SAID = (
    "algorithmmismatch",
    "no shared cipher",
    "no ciphers available",
    "insufficient security",
    "no suitable key share",
)
_LISTENING = ("frontend", "receive connector", "default frontend", "client frontend", "inbound")
_IN_WORDS = {"cloud-to-on-premises": "nothing-comes", "on-premises-to-cloud": "nothing-goes", "queues": "nothing-goes"}
_WAYS: dict[str, Literal["out", "in", ""]] = {"nothing-comes": "in", "nothing-goes": "out"}
_QUEUES = ("queue", "event")
_CLOUD = ("outlook.com", "office365.us", "partner.outlook.cn", "mx.microsoft")


def _said_here(bundle: EvidenceBundle) -> Iterator[ReplySeen]:
    """Why the sender's own program did not deliver, where no peer said it: `mail for x loops back to myself`."""
    for delivery in bundle.postfix_deliveries:
        if delivery.status != "sent" and " said: " not in delivery.response:
            yield ReplySeen(
                source=delivery.source,
                quote=delivery.response,
                kind="queue",
                code=0,
                enhanced=delivery.enhanced,
                text=delivery.response,
                forward_path=delivery.forward_path,
                reverse_path=delivery.reverse_path,
                at=delivery.at,
            )
    for line in bundle.exim:
        if line.mark in ("**", "==") and "SMTP error" not in line.text:
            yield ReplySeen(
                source=line.source,
                quote=line.quote,
                kind="queue",
                code=0,
                text=line.text,
                forward_path=line.address,
                at=line.at,
            )


def _of_reply(reply: ReplySeen) -> Iterator[Symptom]:
    meaning = meaning_of(reply)
    if meaning is None:
        return
    speaker = _speaker(reply)
    yield Symptom(
        kind=meaning.means,
        how=How.SEEN if reply.kind != "prose" else How.CLAIMED,
        fact=reply,
        says=reply.quote,
        speaker=speaker,
        server=reply.quoted_by,
        at=reply.at or reply.trailer_at,
        cause=meaning.cause,
    )


def _speaker(reply: ReplySeen) -> Speaker:
    if any(each in reply.trailer_host.casefold() for each in _CLOUD):
        return "relay"
    if reply.kind in _QUEUES and not reply.inner and not reply.trailer_host:
        return "here"
    if any(each in reply.said_by.casefold() for each in _CLOUD):
        return "relay"
    return "peer" if reply.said_by else "unknown"
