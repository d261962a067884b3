"""A directory from JSON Lines, a million objects of it where need be, and back.

Lines are read, checked by the rules of the one-by-one commands, and written, some thousand at a time: what a line
refers to must stand above it or be in the directory already. Laws: all of it happens in one transaction, or nothing
does; an object that is stored as its line says is left alone, so importing a file twice changes nothing the second
time.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_hex
from shlex import quote
from typing import Any, TypeVar

from gatepost.admin.directory import domains, inbound_connectors, limits, send_connectors
from gatepost.admin.directory.changes import changed, changes_from
from gatepost.admin.directory.editor import BulkEditor
from gatepost.admin.directory.lines import Kind, Line, NoObject, line_of, read_line
from gatepost.admin.directory.ownership import what_is_missing
from gatepost.admin.directory.send_connectors import CredentialCheck
from gatepost.errors import BadRequest, NotAllowed, Refused, Sentence, with_keys
from gatepost.mail.domain import parents
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.definitions import INBOUND_CONNECTOR, SEND_CONNECTOR, TENANT
from gatepost.tenancy.fields import time_from, time_text
from gatepost.tenancy.names import without_wildcard
from gatepost.tenancy.notation import accepted_domain, object_name
from gatepost.tenancy.proof import Proof, ProvenBy
from gatepost.tenancy.record import tenant_from
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    ConnectorType,
    InboundConnector,
    SendConnector,
    Tenant,
)

_T = TypeVar("_T", Tenant, AcceptedDomain, InboundConnector)

_TOGETHER = 5000
"""Lines that are looked up and written at once."""

MOST_ERRORS = 20
MOST_WARNINGS = 100

_ACTION = "import"

_LONGEST_TOKEN = 200
_TOKEN = re.compile(rf"[A-Za-z0-9_=.+-]{{1,{_LONGEST_TOKEN}}}\Z")


class ImportRefused(Refused):
    """The file holds something that cannot be: nothing was changed. One line for each of the first bad lines."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


@dataclass(slots=True)
class Counts:
    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class Imported:
    """What became of the lines so far."""

    lines: int = 0
    octets: int = 0
    counts: dict[Kind, Counts] = field(default_factory=lambda: {kind: Counts() for kind in Kind})
    warnings: list[str] = field(default_factory=list)
    """The first of them."""
    warned: int = 0


def export_directory(editor: BulkEditor) -> Iterator[str]:
    """Every line of the directory as it is at this moment, in an order in which it can be imported."""
    with editor.snapshot():
        for every in (
            editor.all_tenants,
            editor.all_domains,
            editor.all_inbound_connectors,
            editor.all_send_connectors,
        ):
            yield from map(line_of, every())


def import_directory(
    editor: BulkEditor,
    lines: Iterable[bytes],
    *,
    source: str,
    check: CredentialCheck,
    at: datetime,
    told: Callable[[Imported], None],
) -> Imported:
    """`told` hears of the progress. Raises `ImportRefused`; then, as after any other exception, nothing was changed."""
    work = _Import(editor, source, check, at)
    with editor.change():
        for batch in _batches(_read(lines, work)):
            work.take(batch)
            told(work.done)
        if work.errors:
            raise ImportRefused(work.errors)
    editor.settle()
    return work.done


def _read(lines: Iterable[bytes], work: "_Import") -> Iterator[Line]:
    for number, octets in enumerate(lines, 1):
        work.done.lines, work.done.octets = number, work.done.octets + len(octets)
        if not octets.isspace():
            with work.judging(number):
                try:
                    line = read_line(number, octets)
                except NoObject as error:
                    if number > 1:
                        raise
                    # Another kind of file: the same would be said of each of its lines.
                    says = f"{error}; the file must be JSON Lines, as gatepost export directory writes it"
                    raise ImportRefused([work.told_of(number, says)]) from None
                yield line


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Neighbours of one kind, none of them twice: a batch is looked up before any of it is written."""
    batch: list[Line] = []
    keys: set[tuple[str, ...]] = set()
    for line in lines:
        if batch and (line.kind is not batch[0].kind or line.key in keys or len(batch) == _TOGETHER):
            yield batch
            batch, keys = [], set()
        batch.append(line)
        keys.add(line.key)
    if batch:
        yield batch


class _Judging:
    """What is refused inside is noted with its line, and the next line is looked at."""

    def __init__(self, work: "_Import", number: int) -> None:
        self._work = work
        self._number = number

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Refused) or isinstance(error, ImportRefused):
            return False
        # What the file calls a field, and what the command that reads it calls an option.
        said = replace(error.said, message=with_keys(error.said.message))
        self._work.errors.append(self._work.told_of(self._number, str(said)))
        if len(self._work.errors) == MOST_ERRORS:
            raise ImportRefused(self._work.errors) from None
        return True


class _Import:
    def __init__(self, editor: BulkEditor, source: str, check: CredentialCheck, at: datetime) -> None:
        self.done = Imported()
        self.errors: list[str] = []
        self._editor = editor
        self._source = source
        self._check = check
        self._at = at

    def judging(self, number: int) -> _Judging:
        return _Judging(self, number)

    def told_of(self, number: int, says: str) -> str:
        return f"{self._source}:{number}: {says}"

    def take(self, batch: list[Line]) -> None:
        match batch[0].kind:
            case Kind.TENANT:
                self._take_tenants(batch)
            case Kind.DOMAIN:
                self._take_domains(batch)
            case Kind.INBOUND_CONNECTOR:
                self._take_inbound_connectors(batch)
            case Kind.SEND_CONNECTOR:
                for line in batch:
                    with self.judging(line.number):
                        self._take_send_connector(line)

    # --- tenants ----------------------------------------------------------------------------------------------------

    def _take_tenants(self, batch: list[Line]) -> None:
        changes: list[tuple[Tenant | None, Tenant]] = []
        for line, stored in zip(batch, self._editor.stored_tenants([each.said["name"] for each in batch]), strict=True):
            with self.judging(line.number):
                self._note(line.kind, stored, self._tenant(line.said, stored), changes)
        self._editor.write_tenants(changes)

    def _tenant(self, said: Mapping[str, Any], stored: Tenant | None) -> Tenant:
        name = stored.name if stored else object_name(said["name"], "tenant")
        written = tenant_from(
            {"created_at": time_text(stored.created_at if stored else self._at), **said, "name": name}
        )
        return changed(written, TENANT, {"contact": said.get("contact")})

    # --- domains ----------------------------------------------------------------------------------------------------

    def _take_domains(self, batch: list[Line]) -> None:
        owners = self._owners(batch)
        names = [self._domain_name(line) for line in batch]
        keys = [(name or "", owner.name if owner else "") for name, owner in zip(names, owners, strict=True)]
        above = _Owners(self._editor, filter(None, names))
        room = _DomainRoom(self._editor, owners)
        changes: list[tuple[AcceptedDomain | None, AcceptedDomain]] = []
        for line, owner, name, stored in zip(batch, owners, names, self._editor.stored_claims(keys), strict=True):
            if owner and name:
                with self.judging(line.number):
                    domain = self._domain(line.said, owner, name, stored)
                    room.take(owner, stored, domain)
                    above.take(stored, domain)
                    if _may_silence(stored, domain, above):
                        stopped = domains.put(self._editor, domain, _ACTION).stopped
                        self._count(line.kind, stored, domain)
                        self._warn(line, [domains.stopped_warning(stopped)] if stopped else [])
                    else:
                        self._note(line.kind, stored, domain, changes)
        self._editor.write_domains(changes)

    def _domain_name(self, line: Line) -> str | None:
        with self.judging(line.number):
            return accepted_domain(line.said["domain"])
        return None

    def _domain(
        self, said: Mapping[str, Any], owner: Tenant, name: str, stored: AcceptedDomain | None
    ) -> AcceptedDomain:
        now = stored or AcceptedDomain(domain=name, tenant=owner.name, token=token_hex(16), claimed_at=self._at)
        verified = said.get("verified", now.verified)
        vouched = said.get("verified_by_operator", now.verified_by_operator or not now.verified)
        if said.get("verified_by_operator") and not verified:
            raise BadRequest("'verified_by_operator' needs 'verified'")
        token = said.get("token", now.token)
        if not _TOKEN.match(token):
            raise BadRequest(f"'token' must be 1 to {_LONGEST_TOKEN} letters and digits: a TXT record has to hold it")
        domain = replace(
            now,
            token=token,
            match_subdomains=said.get("match_subdomains", False),
            verified=verified,
            verified_by_operator=verified and vouched,
            verified_at=_time(said, "verified_at", now.verified_at),
            checked_at=_time(said, "checked_at", now.checked_at),
            lost_at=_time(said, "lost_at", now.lost_at),
            claimed_at=_time(said, "claimed_at", now.claimed_at),
        )
        if not verified:
            claimed = self._at if now.verified or domain.claimed_at is None else domain.claimed_at
            return replace(domain, verified_at=None, lost_at=None, claimed_at=claimed)
        return domain if domain.verified_at else replace(domain, verified_at=self._at)

    # --- inbound connectors -----------------------------------------------------------------------------------------

    def _take_inbound_connectors(self, batch: list[Line]) -> None:
        changes: list[tuple[InboundConnector | None, InboundConnector]] = []
        wanted: list[tuple[Line, InboundConnector | None, InboundConnector]] = []
        keys = [(line.said["tenant"], line.said["name"]) for line in batch]
        tenants = self._owners(batch)
        room = _Room(self._editor, tenants, Owned.INBOUND_CONNECTORS)
        for line, owner, stored in zip(batch, tenants, self._editor.stored_inbound_connectors(keys), strict=True):
            if owner:
                with self.judging(line.number):
                    connector = _inbound_connector(line.said, owner, stored)
                    if connector != stored:
                        limits.inbound_must_fit(self._editor.allowance, owner, connector, stored)
                    if stored is None:
                        room.take(owner)
                    wanted.append((line, stored, connector))
        owners = _Owners(self._editor, (name for _, _, each in wanted for name in each.certificate_names))
        for line, stored, connector in wanted:
            with self.judging(line.number):
                if connector != stored:
                    connector = self._allowed(line, connector, stored, owners)
                self._note(line.kind, stored, connector, changes)
        self._editor.write_inbound_connectors(changes)
        for _, connector in changes:
            self._vouch_for(connector)

    def _vouch_for(self, connector: InboundConnector) -> None:
        """What the file says is proven is, by the word of the operator who imports it."""
        for pin in sorted(connector.proven_pins):
            is_certificate = pin in connector.certificate_sha256
            self._editor.put_proof(
                Proof(
                    tenant=connector.tenant,
                    certificate_sha256=pin if is_certificate else "",
                    public_key_sha256="" if is_certificate else pin,
                    at=self._at,
                    session_id="",
                    address="",
                    by=ProvenBy.OPERATOR,
                )
            )

    def _allowed(
        self, line: Line, connector: InboundConnector, stored: InboundConnector | None, owners: "_Owners"
    ) -> InboundConnector:
        """As `inbound-connector add` and `set` do it: an unowned name leaves a new connector disabled, and a stored one
        as it is."""
        unowned = connector.enabled and not owners.own(connector)
        missing = what_is_missing(self._editor, connector) if unowned else None
        if missing and stored and stored.enabled:
            raise NotAllowed(f"{connector.label} cannot be changed so: {missing.to_operator}")
        if missing:
            connector = replace(connector, enabled=False)
            self._warn(line, [f"{connector.label} is stored disabled: {missing.to_operator}"])
        if not connector.certificate_names:
            self._warn(line, inbound_connectors.warnings_of(self._editor, connector))
        return connector

    # --- send connectors --------------------------------------------------------------------------------------------

    def _take_send_connector(self, line: Line) -> None:
        said = line.said
        stored = self._editor.send_connector(said["name"])
        if stored is None:
            # What a tenant makes by itself stands under `tenant/name`.
            object_name(said["name"].removeprefix(f"{said.get('tenant')}/"), "connector")
        new = SendConnector(name=said["name"], address_spaces=())
        connector = send_connectors.apply_changes(
            self._editor,
            replace(new, enabled=said.get("enabled", True)),
            {**changes_from(said, SEND_CONNECTOR), "tenant": said.get("tenant") or ""},
        )
        if stored:
            connector = replace(connector, name=stored.name)
        if connector != stored:
            saved = send_connectors.save(self._editor, connector, self._check, _ACTION)
            self._warn(line, saved.warnings)
        self._count(line.kind, stored, connector)

    # --- all of them ------------------------------------------------------------------------------------------------

    def _owners(self, batch: list[Line]) -> list[Tenant | None]:
        """The tenant that each line names; None where that is an error."""
        # Neighbours in a file are often of one tenant.
        names = list(dict.fromkeys(line.said["tenant"] for line in batch))
        owner_of = dict(zip(names, self._editor.stored_tenants(names), strict=True))
        for line in batch:
            if owner_of[line.said["tenant"]] is None:
                with self.judging(line.number):
                    name = line.said["tenant"]
                    raise NotAllowed(
                        f"there is no tenant '{name}': put its line above this one, or run: "
                        f"gatepost tenant add {quote(name)}"
                    )
        return [owner_of[line.said["tenant"]] for line in batch]

    def _note(self, kind: Kind, before: _T | None, after: _T, changes: list[tuple[_T | None, _T]]) -> None:
        self._count(kind, before, after)
        if before != after:
            changes.append((before, after))

    def _count(self, kind: Kind, before: object, after: object) -> None:
        counts = self.done.counts[kind]
        if before is None:
            counts.added += 1
        elif before != after:
            counts.changed += 1
        else:
            counts.unchanged += 1

    def _warn(self, line: Line, warnings: Iterable[Sentence]) -> None:
        for each in warnings:
            self.done.warned += 1
            if len(self.done.warnings) < MOST_WARNINGS:
                self.done.warnings.append(self.told_of(line.number, with_keys(each)))


def _may_silence(before: AcceptedDomain | None, after: AcceptedDomain, owners: "_Owners") -> bool:
    """Whether connectors could stop counting: those of the domain's tenant, or of the owner above it."""
    was_verified = before is not None and before.verified
    if was_verified == after.verified:
        return False
    return was_verified or any(map(owners.nearest_owner, list(parents(after.domain))[:1]))


class _Room:
    """How many more of one kind the tenants of a batch may have: counted once, and then with each that is taken."""

    def __init__(self, editor: BulkEditor, tenants: Iterable[Tenant | None], owned: Owned) -> None:
        named = {each.name: each for each in tenants if each}
        self._owned = owned
        self._limits = {name: limits.limit_of(editor.allowance, each, owned) for name, each in named.items()}
        limited = [name for name, limit in self._limits.items() if limit]
        most = max(self._limits.values(), default=0)
        self._had = dict(zip(limited, editor.counts(limited, owned, most), strict=True)) if limited else {}

    def take(self, tenant: Tenant) -> None:
        """One. Raises `LimitReached`."""
        limit = self._limits[tenant.name]
        if limit and self._had[tenant.name] >= limit:
            raise limits.too_many(tenant, self._owned, limit)
        if limit:
            self._had[tenant.name] += 1


class _DomainRoom:
    """The same for domains, of which those that are not verified have a limit of their own."""

    def __init__(self, editor: BulkEditor, tenants: Sequence[Tenant | None]) -> None:
        self._all = _Room(editor, tenants, Owned.DOMAINS)
        self._unverified = _Room(editor, tenants, Owned.UNVERIFIED_DOMAINS)

    def take(self, tenant: Tenant, before: AcceptedDomain | None, after: AcceptedDomain) -> None:
        if before is None:
            self._all.take(tenant)
            if not after.verified:
                self._unverified.take(tenant)


class _Owners:
    """Who owns names that are asked about together: one question to the directory in place of one for each."""

    def __init__(self, editor: BulkEditor, patterns: Iterable[str]) -> None:
        bases = map(without_wildcard, patterns)
        asked = dict.fromkeys(domain for base in bases for domain in (base, *parents(base)))
        stored = editor.stored_owners(list(asked))
        self._owners = {domain.domain: domain for domain in stored if domain}

    def own(self, connector: InboundConnector) -> bool:
        """Whether its tenant owns all its names, as `tenancy.ownership.unowned_names` has it."""
        return connector.type is ConnectorType.PARTNER or all(
            (owner := self.nearest_owner(without_wildcard(name))) and owner.tenant == connector.tenant
            for name in connector.certificate_names
        )

    def take(self, before: AcceptedDomain | None, after: AcceptedDomain) -> None:
        """As a line changes it. Raises `OwnedByAnother`."""
        owner = self._owners.get(after.domain)
        if after.verified:
            if owner and owner.tenant != after.tenant:
                raise domains.owned_by_another(owner)
            self._owners[after.domain] = after
        elif before and before.verified:
            self._owners.pop(after.domain, None)

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        return next((found for each in (domain, *parents(domain)) if (found := self._owners.get(each))), None)


def _time(said: Mapping[str, Any], name: str, otherwise: datetime | None) -> datetime | None:
    return time_from(said[name]) if name in said else otherwise


def _inbound_connector(said: Mapping[str, Any], owner: Tenant, stored: InboundConnector | None) -> InboundConnector:
    proven = said.get("proven_pins")
    connector = InboundConnector(
        tenant=owner.name,
        name=stored.name if stored else object_name(said["name"], "connector"),
        enabled=said.get("enabled", True),
        proven_pins=frozenset(proven) if proven is not None else stored.proven_pins if stored else frozenset(),
    )
    return inbound_connectors.apply_changes(connector, changes_from(said, INBOUND_CONNECTOR))
