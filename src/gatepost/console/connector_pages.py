"""A connector made or changed by its form: tried first, with the difference and its effect shown, then saved.

    the form ─▶ try: what differs, what it does to sessions that were ─▶ save ─▶ the connector, with the way back

Law: what was tried is what is saved, and onto the connector that it was made from; who changed it meanwhile is said.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.directory import audit, inbound_connectors
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.directory.lookups import inbound_connector_named
from gatepost.admin.directory.take_back import can_be_taken_back, take_back
from gatepost.admin.repair.replayed import Replayed, lately, replayed
from gatepost.admin.repair.trial import Trial, trial
from gatepost.admin.sessions.own_directory import OwnDirectory
from gatepost.app.admin_wiring import certificate_facts
from gatepost.console.connector_form import (
    Values,
    changes_from,
    controls,
    differences,
    mark,
    values_from,
    values_of,
    with_added,
)
from gatepost.console.page import Page, Who
from gatepost.console.rendering import in_words, link, page
from gatepost.console.visit import Visit, Visitor, not_found
from gatepost.errors import BadRequest, NotFound, Refused
from gatepost.https.gate import must_not_hurry
from gatepost.https.rates import Rate
from gatepost.tenancy.record import inbound_connector_record
from gatepost.tenancy.tenant import AuditEntry, InboundConnector

_CONNECTOR: Final = "inbound-connector "
_TRIALS: Final = Rate(20)
"""Of each tenant, in a minute: a trial judges dozens of chains while the directory waits."""


def _form(visit: Visit) -> Response:
    """Of the connector that the query names, with what the query proposes to add; without a name, of a new one."""
    person = visit.person
    with person.directory() as editor:
        owner = person.tenant(editor, visit.part["tenant"])
        name = visit.said("connector")
        stored = inbound_connector_named(editor, owner, name) if name else None
    proposed = {each: text.split() for each, text in visit.query.items() if text}
    values = with_added(values_of(stored, owner), proposed)
    if visit.said("enable"):
        values["enabled"] = "on"
    return _shown(visit, owner, stored, values, name=stored.name if stored else visit.said("name") or "")


def _submit(visit: Visit) -> Response:
    person, form = visit.person, visit.form
    values, name = values_from(form), form.get("name", "").strip()
    with person.directory() as editor:
        owner = person.tenant(editor, visit.part["tenant"])
        stored = editor.inbound_connector(owner, name) if name else None
        if mark(stored) != form.get("as_of", ""):
            return _changed_meanwhile(visit, editor, owner, name, stored, values)
        try:
            if form.get("step") == "save":
                return _save(visit, editor, owner, name, values)
            tried = _try(visit, editor, owner, name, stored, values)
        except Refused as error:
            return _shown(visit, owner, stored, values, name=name, refused=error)
    return _shown(visit, owner, stored, values, name=name, tried=tried)


def _save(visit: Visit, editor: DirectoryEditor, owner: str, name: str, values: Values) -> Response:
    with editor.change():
        stored = editor.inbound_connector(owner, name)
        if mark(stored) != visit.form.get("as_of", ""):
            return _changed_meanwhile(visit, editor, owner, name, stored, values)
        before = editor.version
        _put(editor, owner, name, values)
        version = editor.version if editor.version != before else None
    return RedirectResponse(link(f"/tenants/{owner}/connectors/{name}", saved=version), 303)


def _put(editor: DirectoryEditor, owner: str, name: str, values: Values) -> SavedInbound:
    return inbound_connectors.put(editor, owner, name, changes_from(values), enabled=values["enabled"] == "on")


def _try(
    visit: Visit, editor: DirectoryEditor, owner: str, name: str, stored: InboundConnector | None, values: Values
) -> Mapping[str, Any]:
    person = visit.person
    if not person.is_operator:
        must_not_hurry(_TRIALS.wait_s(owner, time.monotonic()), "to try a change, by this tenant")
    asked = InboundConnector(tenant=owner, name=name)
    wanted = inbound_connectors.apply_changes(stored or asked, changes_from(values))
    first = _this_session(visit, editor)
    with person.traces() as traces:
        others, missing = lately(
            traces, person.recorded_in(editor), [*filter(None, (stored,)), wanted], certificate_facts
        )
    sessions = [*filter(None, (first,)), *(each for each in others if not first or each.question != first.question)]
    found = trial(
        editor,
        editor if person.is_operator else OwnDirectory(editor, owner),
        person.judging,
        sessions,
        lambda: _put(editor, owner, name, values),
        datetime.now(UTC),
    )
    return _told(person, found, stored, first, missing)


def _told(
    person: Visitor, found: Trial, stored: InboundConnector | None, first: Replayed | None, missing: int
) -> Mapping[str, Any]:
    effects = list(found.effects)
    this = effects.pop(0) if first else None
    return {
        "differences": differences(
            inbound_connector_record(stored) if stored else None, inbound_connector_record(found.saved.connector)
        ),
        "warnings": list(map(in_words, found.saved.warnings)),
        "this": this,
        "others": [each for each in effects if each.is_change],
        "asked": len(effects),
        "missing": missing,
    }


def _this_session(visit: Visit, editor: DirectoryEditor) -> Replayed | None:
    """The refused session that led to the form, as far as it is known and visible."""
    session_id = visit.form.get("session", "")
    if not session_id:
        return None
    try:
        return replayed(visit.person.recorded_in(editor).document(session_id), certificate_facts)
    except NotFound:
        return None


def _changed_meanwhile(
    visit: Visit, editor: DirectoryEditor, owner: str, name: str, stored: InboundConnector | None, values: Values
) -> Response:
    """With what was written, against what is there now."""
    if not visit.form.get("as_of"):
        says = f"there is a connector '{name}' already; choose another name, or change that one"
        return _shown(visit, owner, None, values, name=name, refused=BadRequest(says))
    latest = next(iter(_changes_of(visit.person, editor, owner, name, 1)), None)
    return _shown(visit, owner, stored, values, name=name, meanwhile=latest or True)


def _shown(
    visit: Visit,
    owner: str,
    stored: InboundConnector | None,
    values: Values,
    *,
    name: str,
    refused: Refused | None = None,
    tried: Mapping[str, Any] | None = None,
    meanwhile: AuditEntry | bool | None = None,
) -> Response:
    said = refused and (refused.said if visit.person.is_operator else refused.to_tenant)
    field = refused and (refused.field.name if refused.field else "" if stored else "name")
    return page(
        visit,
        "connector_form.html",
        409 if refused or meanwhile else 200,
        owner=owner,
        stored=stored,
        name=name,
        values=values,
        controls=controls(values),
        as_of=mark(stored),
        session=visit.form.get("session") or visit.said("session") or "",
        problem=said and f"{in_words(said.message)}{'; ' if said.next_step else ''}{in_words(said.next_step)}",
        problem_field=field,
        tried=tried,
        meanwhile=meanwhile,
        yours=differences(inbound_connector_record(stored), _wanted(stored, values)) if meanwhile and stored else (),
    )


def _wanted(stored: InboundConnector, values: Values) -> dict[str, object] | None:
    try:
        wanted = inbound_connectors.apply_changes(stored, changes_from(values))
    except Refused:
        return None
    return {**inbound_connector_record(wanted), "enabled": values["enabled"] == "on"}


# --- changes, and the way back ----------------------------------------------------------------------------------------


def changes_of_connector(visit: Visit, editor: DirectoryEditor, owner: str, name: str) -> Sequence[AuditEntry]:
    return _changes_of(visit.person, editor, owner, name, 10)


def _changes_of(person: Visitor, editor: DirectoryEditor, owner: str, name: str, most: int) -> Sequence[AuditEntry]:
    """The newest first; a tenant's person those that are the tenant's to see."""
    subject = f"{_CONNECTOR}{owner}/{name}"
    if person.is_operator:
        found = editor.audit(subject=subject, limit=most * 10)
    else:
        found = audit.changes_of(editor, owner, before=None, limit=most * 50)
    return [each for each in found if each.subject == subject][:most]


def _change(visit: Visit) -> Response:
    with visit.person.directory() as editor:
        entry = _entry(visit, editor)
        may_go_back = visit.person.may_write and can_be_taken_back(editor, entry)
    return page(visit, "change.html", entry=entry, differs=_differs(entry), may_go_back=may_go_back)


def _take_back(visit: Visit) -> Response:
    with visit.person.directory() as editor, editor.change():
        entry = _entry(visit, editor)
        connector = take_back(editor, entry)
        version = editor.version
    if connector is None:
        owner = (entry.after or {})["tenant"]
        return RedirectResponse(link(f"/tenants/{owner}"), 303)
    return RedirectResponse(link(f"/tenants/{connector.tenant}/connectors/{connector.name}", saved=version), 303)


def _differs(entry: AuditEntry) -> Sequence[tuple[str, str, str]]:
    if entry.subject.startswith(_CONNECTOR):
        return differences(entry.before, entry.after)
    return [(name, str(old or ""), str(new or "")) for name, old, new in audit.differences(entry)]


def _entry(visit: Visit, editor: DirectoryEditor) -> AuditEntry:
    text = visit.part["version"]
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        not_found()
    version, owner = int(text), visit.person.of_tenant
    if owner is None:
        return audit.change(editor, version)
    found = audit.changes_of(editor, owner, before=version + 1, limit=1)
    if not found or found[0].version != version or not _may_see(visit, found[0]):
        raise NotFound(f"there is no change {version} of yours")
    return found[0]


def _may_see(visit: Visit, entry: AuditEntry) -> bool:
    """Connectors have their history on a page for all people of the tenant; who else comes in is for administrators."""
    return visit.person.is_admin or entry.subject.startswith(_CONNECTOR)


PAGES: Final = (
    Page("/tenants/{tenant}/connector-form", Who.WRITERS, _form),
    Page("/tenants/{tenant}/connector-form", Who.WRITERS, _submit, "POST"),
    Page("/changes/{version}", Who.PEOPLE, _change),
    Page("/changes/{version}/take-back", Who.WRITERS, _take_back, "POST"),
)
