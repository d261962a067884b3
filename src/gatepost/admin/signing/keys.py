"""What an administrator does with signing keys: `dkim add`, `show`, `check`, `activate`, `retire`, `remove`.

Laws: a key is a domain's that its tenant owns, or the relay's own; it signs only after DNS has shown its record; one of
each kind signs for a domain; a record that mail may still be verified by is never asked to go.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import domain_named, tenant_named
from gatepost.admin.directory.verification import TxtLookup
from gatepost.errors import AlreadyExists, BadRequest, NotAllowed, NotFound
from gatepost.mail.domain import is_at_or_below
from gatepost.queue.next_hop import DnsProblem
from gatepost.signing.private_key import KeyPair, new_pair, pair_from_pem
from gatepost.tenancy.definitions import SIGNING_KEY
from gatepost.tenancy.notation import accepted_domain
from gatepost.tenancy.signing_key import MOST_OF_A_DOMAIN, Algorithm, KeyState, SigningKey, why_not_published

OPERATOR: Final = "-"
"""In the place of a tenant: the relay's own messages."""

TO_ACTIVATE: Final = (KeyState.PENDING,)
TO_RETIRE: Final = (KeyState.ACTIVE,)
TO_REMOVE: Final = (KeyState.PENDING, KeyState.RETIRED)
"""States of the key that is meant where no selector is said."""

_LABEL: Final = re.compile(r"[a-z0-9-]{1,63}\Z")
_LONGEST_SELECTOR: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What DNS says about a key."""

    key: SigningKey
    why_not: str | None
    """What is wrong with the record; None: it is as it must be."""
    is_failure: bool = False
    """DNS could not say."""


def add(
    editor: DirectoryEditor,
    hostname: str,
    tenant: str,
    domain: str,
    *,
    selector: str | None,
    pair: KeyPair,
    rotate_days: int | None,
    at: datetime,
) -> SigningKey:
    """A new key, pending."""
    with editor.change():
        owner, name = _owner(editor, hostname, tenant, domain)
        existing = editor.signing_keys.every(owner or "", name)
        if len(existing) >= MOST_OF_A_DOMAIN:
            raise NotAllowed(
                f"{name} has {len(existing)} signing keys, and may have {MOST_OF_A_DOMAIN}",
                next_step="remove a retired one: " + _command("remove", owner, name, "--selector S"),
            )
        chosen = selector_for(selector, existing, at)
        key = SigningKey(
            tenant=owner,
            domain=name,
            selector=chosen,
            algorithm=Algorithm(pair.algorithm),
            public_key=pair.public,
            state=KeyState.PENDING,
            created_at=at,
            rotate_days=rotate_days,
        )
        editor.signing_keys.add(key, pair.private)
        return key


def pair_for(algorithm: str | None, pem: tuple[bytes, str] | None) -> KeyPair:
    """A new pair, which takes up to seconds, so outside of any change; or the one in `pem`, which comes with the name
    of its source."""
    return pair_from_pem(*pem) if pem else new_pair(algorithm_called(algorithm))


def every(editor: DirectoryEditor, tenant: str | None = None) -> Sequence[SigningKey]:
    if tenant in (None, OPERATOR):
        return editor.signing_keys.every("" if tenant else None)
    return editor.signing_keys.every(tenant_named(editor, tenant).name)


def named(
    editor: DirectoryEditor,
    tenant: str,
    domain: str,
    selector: str | None,
    states: Sequence[KeyState] = tuple(KeyState),
) -> SigningKey:
    """The key meant; without `selector` the only one in one of `states`."""
    return the_one(of_domain(editor, tenant, domain, selector), selector, states)


def of_domain(editor: DirectoryEditor, tenant: str, domain: str, selector: str | None = None) -> Sequence[SigningKey]:
    """The keys of a domain, or the one with that selector; raises `NotFound` where there is none."""
    owner = None if tenant == OPERATOR else tenant_named(editor, tenant).name
    name = accepted_domain(domain)
    return chosen(owner, name, editor.signing_keys.every(owner or "", name), selector)


def chosen(
    tenant: str | None, domain: str, of_domain: Sequence[SigningKey], selector: str | None
) -> Sequence[SigningKey]:
    """Those of a domain's keys that have the selector; all, where none is said."""
    found = [key for key in of_domain if selector in (None, key.selector)]
    if not found:
        what = f"signing key '{selector}'" if selector else "signing key"
        known = ", ".join(key.selector for key in of_domain)
        hint = f"it has: {known}" if known else "make one: " + _command("add", tenant, domain)
        raise NotFound(f"{domain} has no {what}", next_step=hint)
    return found


def the_one(found: Sequence[SigningKey], selector: str | None, states: Sequence[KeyState]) -> SigningKey:
    """The only one of a domain's keys that is in one of `states`, or that was chosen by its selector."""
    fitting = [key for key in found if selector is not None or key.state in states]
    if len(fitting) == 1:
        return fitting[0]
    owner, name = found[0].tenant, found[0].domain
    if not fitting:
        wanted = " or ".join(states)
        hint = "see: " + _command("list", owner, "")
        raise NotFound(f"{name} has no signing key that is {wanted}", next_step=hint)
    selectors = ", ".join(key.selector for key in fitting)
    raise BadRequest(f"{name} has several signing keys ({selectors}): say which, with ", SIGNING_KEY["selector"])


async def look(lookup: TxtLookup, key: SigningKey) -> Published:
    """Ask DNS for the key's record."""
    answer = await lookup.txt(key.record_name)
    if isinstance(answer, DnsProblem) and not answer.permanent:
        return Published(key=key, why_not=f"DNS could not say: {answer.why}", is_failure=True)
    records = () if isinstance(answer, DnsProblem) else answer
    return Published(key=key, why_not=why_not_published(key, records))


def seen(editor: DirectoryEditor, published: Published, at: datetime) -> SigningKey | None:
    """Remember what DNS showed. That a record of a key in use is gone, or back, is a change that operators see. None:
    the key itself is gone, or another by now."""
    with editor.change():
        key = _current(editor, published.key)
        if key is None or key.public_key != published.key.public_key:
            return None
        if published.is_failure:
            return key
        if published.why_not is None:
            after = replace(key, seen_at=at, missing_since=None)
        else:
            after = replace(key, missing_since=key.missing_since or at) if key.seen_at else key
        if (after.missing_since is None) != (key.missing_since is None):
            editor.signing_keys.put(after, "lose" if after.missing_since else "find-again")
        elif after != key:
            editor.signing_keys.note(after)
        return after


def activate(editor: DirectoryEditor, published: Published, at: datetime) -> tuple[SigningKey, Sequence[SigningKey]]:
    """The key signs from now on; and those of its kind that stop because of it."""
    with editor.change():
        key = _current(editor, published.key)
        if key is None or key.public_key != published.key.public_key:
            raise NotFound(f"the signing key {published.key.label} was removed meanwhile")
        if published.why_not is not None:
            raise NotAllowed(
                f"{key.record_name}: {published.why_not}",
                next_step="publish the record and wait until DNS shows it; it is printed by: "
                + _command("show", key.tenant, key.domain, f"--selector {key.selector}"),
            )
        if key.state not in (KeyState.PENDING, KeyState.ACTIVE):
            raise NotAllowed(
                f"{key.label} is {key.state}", next_step="make another: " + _command("add", key.tenant, key.domain)
            )
        before = [each for each in _signing(editor, key) if each.selector != key.selector]
        for each in before:
            editor.signing_keys.put(_stopped(each, at), "retire")
        active = replace(
            key, state=KeyState.ACTIVE, activated_at=key.activated_at or at, seen_at=at, missing_since=None
        )
        if key.state is not KeyState.ACTIVE:
            editor.signing_keys.put(active, "activate")
        return active, before


def retire(editor: DirectoryEditor, key: SigningKey, at: datetime) -> tuple[SigningKey, bool]:
    """The key stops signing; and whether another goes on signing for its domain."""
    with editor.change():
        current = _current(editor, key)
        if current is None or current.state is not KeyState.ACTIVE:
            raise NotAllowed(f"{key.label} is {current.state if current else 'removed'}, and signs nothing")
        stopped = _stopped(current, at)
        editor.signing_keys.put(stopped, "retire")
        others = editor.signing_keys.every(key.tenant or "", key.domain)
        return stopped, any(each.state is KeyState.ACTIVE for each in others)


def remove(editor: DirectoryEditor, key: SigningKey) -> SigningKey:
    with editor.change():
        current = _current(editor, key)
        if current is None:
            raise NotFound(f"the signing key {key.label} was removed meanwhile")
        if current.state is KeyState.ACTIVE:
            raise NotAllowed(
                f"{key.label} signs mail",
                next_step="first: " + _command("retire", key.tenant, key.domain, f"--selector {key.selector}"),
            )
        editor.signing_keys.remove(current)
        return current


def _owner(editor: DirectoryEditor, hostname: str, tenant: str, domain: str) -> tuple[str | None, str]:
    """The tenant that owns the domain, as both are written; None: the operator."""
    name = accepted_domain(domain)
    if tenant == OPERATOR:
        if not is_at_or_below(hostname, name):
            raise BadRequest(
                f"{name} is not the domain of this relay: its own messages come from {hostname}; "
                f"use that name or a domain above it"
            )
        return None, name
    owned = domain_named(editor, name, tenant)
    owner = editor.nearest_owner(name)
    if not owned.verified or owner is None or owner.tenant != owned.tenant:
        raise NotAllowed(
            f"{name} is not verified for {owned.tenant}", next_step=f"verify it first: gatepost domain verify {name}"
        )
    return owned.tenant, name


def selector_for(text: str | None, existing: Sequence[SigningKey], at: datetime) -> str:
    """The selector of a new key of a domain: the one asked for, or that of the month."""
    taken = {key.selector for key in existing}
    if text is None:
        month = f"gp{at:%Y%m}"
        return next(each for each in (month, *(f"{month}{letter}" for letter in "abcdefghijklm")) if each not in taken)
    chosen = text.lower()
    if len(chosen) > _LONGEST_SELECTOR or not all(map(_is_label, chosen.split("."))):
        raise BadRequest(SIGNING_KEY["selector"], f" {text[:40]}: use letters, digits and hyphens, such as gp202612")
    if chosen in taken:
        raise AlreadyExists(f"there is a signing key with the selector '{chosen}'", next_step="choose another")
    return chosen


def _is_label(text: str) -> bool:
    return bool(_LABEL.match(text)) and not text.startswith("-") and not text.endswith("-")


def algorithm_called(text: str | None) -> Algorithm:
    try:
        return Algorithm(text) if text else Algorithm.RSA_2048
    except ValueError:
        raise BadRequest(SIGNING_KEY["algorithm"], f" {text}: must be one of {', '.join(Algorithm)}") from None


def _current(editor: DirectoryEditor, key: SigningKey) -> SigningKey | None:
    """Read again: others may have been busy while DNS was asked."""
    found = editor.signing_keys.every(key.tenant or "", key.domain)
    return next((each for each in found if each.selector == key.selector), None)


def _signing(editor: DirectoryEditor, key: SigningKey) -> Sequence[SigningKey]:
    """Those of its kind that sign for its domain."""
    found = editor.signing_keys.every(key.tenant or "", key.domain)
    kind = key.algorithm.kind
    return [each for each in found if each.state is KeyState.ACTIVE and each.algorithm.kind == kind]


def _stopped(key: SigningKey, at: datetime) -> SigningKey:
    return replace(key, state=KeyState.RETIRING, retired_at=at)


def _command(verb: str, tenant: str | None, domain: str, more: str = "") -> str:
    return " ".join(each for each in ("gatepost dkim", verb, quote(tenant or OPERATOR), domain, more) if each)
