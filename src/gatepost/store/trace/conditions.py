"""What is wanted, as it is looked for in one file: conditions on its rows, and the terms that lead to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gatepost.queue.message import RECIPIENTS_PER_MESSAGE
from gatepost.store.trace import terms
from gatepost.store.trace.rows import WHAT, queue_and_place
from gatepost.store.trace.terms import OUTCOMES
from gatepost.store.trace.words import Kind, KnownWords, certificate_from
from gatepost.trace.search import Scope, Share, Wanted
from gatepost.trace.story import FINAL, OPEN, OUTCOME_AFTER, Outcome, QueuePlace
from gatepost.trace.visibility import covers, has_pin, is_own_name, lists_address, verified_names


@dataclass(slots=True, kw_only=True)
class Conditions:
    where: str = "true"
    parameters: dict[str, Any] = field(default_factory=dict)
    terms: Sequence[int] = ()
    """One of them leads to each row; none: every row is looked at."""
    by_ends: bool = False
    """The terms are those of segment `ENDS`, and of no other."""

    def add(self, condition: str, **parameters: object) -> None:
        self.where += f" AND {condition}"
        self.parameters |= parameters


def conditions_of(wanted: Wanted, words: KnownWords, share: Share, *, knows_ends: bool = False) -> Conditions | None:
    """`knows_ends`: the file has the segment `ENDS`. None: the file holds nothing of it."""
    found = Conditions()
    for column, kind, text in (
        ("tenant", Kind.TENANT, wanted.tenant),
        ("address", Kind.ADDRESS, wanted.address),
        ("reason", Kind.REASON, wanted.reason),
    ):
        if text is not None:
            number = words.number(kind, text)
            if number is None:
                return None
            found.add(f"{column} = :{column}", **{column: number})
    if not (_add_domain(found, wanted, words) and _add_certificate(found, wanted, words)):
        return None
    _add_texts(found, wanted)
    written = _written_outcomes(wanted)
    if written is not None:
        _add_numbers(found, "outcome", [OUTCOMES.index(outcome) for outcome in written])
        _add_not_ended_otherwise(found, wanted)
    if not _add_ids(found, wanted, words):
        return None
    seen = () if wanted.scope is None else _add_scope(found, wanted.scope, words, share)
    if seen is None:
        return None
    found.terms = _terms(wanted, written, found.parameters.get("tenant")) or seen
    if knows_ends and wanted.outcomes and written and found.terms == [terms.of_outcome(each) for each in written]:
        found.terms, found.by_ends = terms.of_ends(wanted.outcomes), True
    return found


def _written_outcomes(wanted: Wanted) -> Sequence[Outcome] | None:
    """What the outcome of a row can have been when it was written; None: anything."""
    if wanted.outcomes is None:
        return None
    may_follow = OPEN if wanted.outcomes - {Outcome.REFUSED} else frozenset()
    return [each for each in OUTCOMES if each in wanted.outcomes | may_follow]


def _add_not_ended_otherwise(found: Conditions, wanted: Wanted) -> None:
    """What was open when it was written, and ended in the same file as nobody asked for."""
    others = [WHAT.index(what) for what in FINAL if OUTCOME_AFTER[what] not in (wanted.outcomes or ())]
    found.add(
        f"(outcome NOT IN ({', '.join(str(OUTCOMES.index(each)) for each in OPEN)}) OR NOT EXISTS ("
        "SELECT 1 FROM event WHERE event.place = recipient.place AND event.queue = recipient.queue"
        f" AND what IN ({', '.join(map(str, others))})))"
    )


def _terms(wanted: Wanted, written: Sequence[Outcome] | None, tenant: int | None) -> Sequence[int]:
    """The most telling."""
    if wanted.session_id is not None:
        return (terms.of_session(int(wanted.session_id, 16)),)
    if wanted.queue_id is not None:
        return (terms.of_message(_message(wanted.queue_id)),)
    if wanted.message_id is not None:
        return (terms.of_message_id(wanted.message_id),)
    if wanted.mail_from is not None:
        return (terms.of_sender(wanted.mail_from),)
    if wanted.rcpt_to is not None:
        return (terms.of_recipient(wanted.rcpt_to),)
    rare = written if written is not None and Outcome.DELIVERED not in written else None
    if wanted.reason is not None:
        rare = (Outcome.REFUSED,)
    if tenant is not None:
        if rare is not None:
            return [terms.of_tenant_and_outcome(tenant, each) for each in rare]
        return (terms.of_tenant(tenant),)
    return () if rare is None else [terms.of_outcome(each) for each in rare]


def _add_texts(found: Conditions, wanted: Wanted) -> None:
    for column, text in (
        ("mail_from", wanted.mail_from),
        ("rcpt_to", wanted.rcpt_to),
        ("message_id", wanted.message_id),
    ):
        if text is not None:
            found.add(f"lower({column}) = lower(:{column})", **{column: text})
    if wanted.subject is not None:
        found.add("instr(lower(subject), lower(:subject)) > 0", subject=wanted.subject)


def _add_domain(found: Conditions, wanted: Wanted, words: KnownWords) -> bool:
    if wanted.domain is None:
        return True
    number = words.number(Kind.DOMAIN, wanted.domain)
    if number is not None:
        found.add("(from_domain = :domain OR to_domain = :domain)", domain=number)
    return number is not None


def _add_certificate(found: Conditions, wanted: Wanted, words: KnownWords) -> bool:
    asked = wanted.certificate
    if asked is None:
        return True

    def is_wanted(text: str) -> bool:
        each = certificate_from(text)
        return each is not None and (
            asked in (each.sha256, each.public_key_sha256) or asked in map(str.lower, each.names)
        )

    numbers = words.numbers(Kind.CERTIFICATE, is_wanted)
    _add_numbers(found, "certificate", numbers)
    return bool(numbers)


def _add_ids(found: Conditions, wanted: Wanted, words: KnownWords) -> bool:
    if wanted.session_id is not None:
        found.add("session = :session", session=int(wanted.session_id, 16))
    if wanted.id is not None:
        found.add("within = :within", within=wanted.id.partition(".")[2])
    if wanted.queue_id is not None:
        name, first = queue_and_place(QueuePlace(wanted.queue_id, 0))
        queue = words.number(Kind.QUEUE, name)
        if queue is None:
            return False
        found.add(
            "queue = :queue AND place BETWEEN :place AND :places",
            queue=queue,
            place=first,
            places=first + RECIPIENTS_PER_MESSAGE - 1,
        )
    return True


def _add_scope(found: Conditions, scope: Scope, words: KnownWords, share: Share) -> Sequence[int] | None:
    """What a tenant can see at all; `visibility.seen_by` has the last word. Returns terms; None: it can see nothing."""
    own = words.number(Kind.TENANT, scope.tenant)
    conditions = [] if own is None else ["tenant = :own"]
    seen = [] if own is None else [terms.of_tenant(own)]
    if share in ("strangers", "busy-strangers") and (refused := _refused_of(scope, words)):
        conditions.append(f"(outcome = {OUTCOMES.index(Outcome.REFUSED)} AND tenant IS NULL AND ({refused}))")
        seen.append(terms.of_outcome(Outcome.REFUSED))
    if not conditions:
        return None
    found.add(f"({' OR '.join(conditions)})", own=own)
    return seen


def _refused_of(scope: Scope, words: KnownWords) -> str:
    shown = [
        ("from_domain", words.numbers(Kind.DOMAIN, lambda text: any(covers(each, text) for each in scope.domains))),
        ("address", words.numbers(Kind.ADDRESS, lambda text: lists_address(scope, text)) if scope.networks else []),
        ("certificate", words.numbers(Kind.CERTIFICATE, lambda text: _is_own_certificate(scope, text))),
    ]
    return " OR ".join(f"{column} IN ({', '.join(map(str, numbers))})" for column, numbers in shown if numbers)


def _is_own_certificate(scope: Scope, text: str) -> bool:
    certificate = certificate_from(text)
    at = float("inf")
    return has_pin(scope, certificate) or any(is_own_name(scope, name, at) for name in verified_names(certificate))


def _add_numbers(found: Conditions, column: str, numbers: Sequence[int]) -> None:
    found.add(f"{column} IN ({', '.join(map(str, numbers))})")


def _message(queue_id: str) -> int:
    return int(queue_id.rpartition("-")[2])
