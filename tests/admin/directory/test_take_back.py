"""The latest change of a connector can be taken back, within what is allowed now."""

from datetime import datetime
from typing import Any

import pytest

from gatepost.admin.directory import domains, inbound_connectors
from gatepost.admin.directory.take_back import can_be_taken_back, take_back
from gatepost.errors import NameNotOwned, NotAllowed


def latest(editor: Any) -> Any:
    return editor.audit(limit=1)[0]


def test_each_change_goes_back_to_what_was_before(editor: Any) -> None:
    inbound_connectors.add(editor, "fabrikam", "mail", {"addresses": ["192.0.2.9"]})
    inbound_connectors.add(editor, "contoso", "mail", {"addresses": ["192.0.2.1"]})
    made = latest(editor)
    inbound_connectors.change(editor, "contoso", "mail", {"addresses": ["192.0.2.2"]})
    changed = latest(editor)
    assert can_be_taken_back(editor, changed) and not can_be_taken_back(editor, made)
    with pytest.raises(NotAllowed, match="changed again"):
        take_back(editor, made)
    assert str(take_back(editor, changed).addresses[0]) == "192.0.2.1/32"
    assert latest(editor).action == "take-back"
    assert str(take_back(editor, latest(editor)).addresses[0]) == "192.0.2.2/32", "taking back can be taken back"
    inbound_connectors.remove(editor, "contoso", "mail")
    assert take_back(editor, latest(editor)).name == "mail"
    assert take_back(editor, editor.audit(subject="inbound-connector fabrikam/mail", limit=1)[0]) is None
    assert editor.inbound_connector("fabrikam", "mail") is None
    assert editor.inbound_connector("contoso", "mail") is not None


def test_what_is_not_allowed_any_more_stays_as_it_is(editor: Any, at: datetime) -> None:
    domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=True, at=at)
    inbound_connectors.add(editor, "contoso", "mail", {"certificate_names": ["mail.contoso.com"]})
    inbound_connectors.change(editor, "contoso", "mail", {"certificate_names": [], "addresses": ["192.0.2.1"]})
    changed = latest(editor)
    domains.change(editor, "contoso.com", tenant=None, match_subdomains=None, verified=False, at=at)
    with pytest.raises(NameNotOwned):
        take_back(editor, changed)
    assert not editor.inbound_connector("contoso", "mail").certificate_names


def test_other_objects_are_not_taken_back_here(editor: Any) -> None:
    assert not can_be_taken_back(editor, latest(editor))
    with pytest.raises(NotAllowed, match="not of an inbound connector"):
        take_back(editor, latest(editor))
