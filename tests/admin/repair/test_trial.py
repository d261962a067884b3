"""A trial makes the change, says what it does, and leaves nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from gatepost.admin.directory import domains, inbound_connectors
from gatepost.admin.repair.replayed import Replayed
from gatepost.admin.repair.trial import trial
from gatepost.admin.sessions.explain import Relay
from gatepost.admin.sessions.own_directory import OwnDirectory
from gatepost.admin.sessions.question import question
from gatepost.errors import NameNotOwned
from gatepost.exchange.exported_tenant import judge_as_told
from gatepost.tenancy.directory import Directory


class Judging:
    @contextmanager
    def relay(self, listener: str, directory: Directory) -> Iterator[Relay]:
        yield Relay(hostname="relay.example.net", listener=listener, directory=directory, judge=judge_as_told)


def session(mail_from: str, address: str) -> Replayed:
    asked = question(mail_from=mail_from, rcpt_to=["bob@outside.example"], address=address)
    return Replayed(
        session_id="08DF4F93C5973840",
        at="2026-01-01T00:00:00Z",
        listener="main",
        mail_from=mail_from,
        rcpt_to="bob@outside.example",
        question=asked,
    )


@pytest.fixture
def furnished(editor: Any, at: datetime) -> Any:
    for tenant, address in (("contoso", "192.0.2.1"), ("fabrikam", "192.0.2.2")):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=at)
        inbound_connectors.add(editor, tenant, "mail", {"addresses": [address]})
    return editor


def test_what_would_change_is_said_and_nothing_stays(furnished: Any, at: datetime) -> None:
    sessions = [session("ann@contoso.com", "192.0.2.7"), session("ann@contoso.com", "192.0.2.1")]
    sessions.append(session("fred@fabrikam.com", "192.0.2.2"))
    before, audited = furnished.version, furnished.audit()
    changes = {"addresses": ["192.0.2.7"]}

    found = trial(
        furnished,
        furnished,
        Judging(),
        sessions,
        lambda: inbound_connectors.change(furnished, "contoso", "mail", changes),
        at,
    )

    admitted, lost, neighbours = found.effects
    assert (admitted.before.outcome, admitted.after.outcome, admitted.after.connector) == ("refused", "relay", "mail")
    assert (lost.before.outcome, lost.after.outcome) == ("relay", "refused")
    assert not neighbours.is_change and neighbours.after.tenant == "fabrikam"
    assert [str(each) for each in found.saved.connector.addresses] == ["192.0.2.7/32"]
    assert furnished.version == before and furnished.audit() == audited
    assert str(furnished.inbound_connector("contoso", "mail").addresses[0]) == "192.0.2.1/32"


def test_a_trial_permits_what_can_be_saved_and_no_more(furnished: Any, at: datetime) -> None:
    before = furnished.version
    with pytest.raises(NameNotOwned):
        trial(
            furnished,
            furnished,
            Judging(),
            [],
            lambda: inbound_connectors.change(furnished, "contoso", "mail", {"certificate_names": ["mx.fabrikam.com"]}),
            at,
        )
    assert furnished.version == before


def test_of_others_a_tenant_learns_nothing(furnished: Any, at: datetime) -> None:
    own = OwnDirectory(furnished, "contoso")
    changes = {"addresses": ["192.0.2.2"]}
    found = trial(
        furnished,
        own,
        Judging(),
        [session("fred@fabrikam.com", "192.0.2.2")],
        lambda: inbound_connectors.change(furnished, "contoso", "mail", changes),
        at,
    )
    (effect,) = found.effects
    assert effect.before.tenant is None and effect.after.tenant is None
