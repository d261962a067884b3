"""Whoever asks sees their own tenant; another's is as if it did not exist."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost import config as configuration
from gatepost.admin.directory import tenants
from gatepost.app.admin_wiring import Judging
from gatepost.errors import NotFound
from gatepost.https.caller import AnyCaller
from gatepost.https.problem import Problem
from gatepost.https.rates import Allotment


@pytest.fixture
def caller(tmp_path: Path):
    text = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'
    config = configuration.parse(tmp_path / "gatepost.toml", text)
    audit = Allotment(1)

    def of(tenant: str | None) -> AnyCaller:
        return AnyCaller(
            config=config,
            judging=Judging(config),
            who="person ann",
            of_tenant=tenant,
            address="192.0.2.1",
            audit=audit,
        )

    with of(None).directory() as editor:
        for name in ("Contoso", "fabrikam"):
            tenants.add(editor, name, datetime.now(UTC))
    return of


def test_a_tenant_is_found_by_itself_and_by_operators(caller) -> None:
    with caller(None).directory() as editor:
        assert caller(None).tenant(editor, "CONTOSO") == "Contoso"
        assert caller("Contoso").tenant(editor, "contoso") == "Contoso"
        for name in ("fabrikam", "nobody"):
            with pytest.raises(NotFound) as missing:
                caller("Contoso").tenant(editor, name)
            assert str(missing.value) == f"there is no tenant '{name}'"


def test_what_is_changed_is_audited_under_who_and_from_where(caller) -> None:
    with caller("Contoso").directory() as editor:
        editor.note("try", "something", {"tenant": "Contoso"})
        entry = editor.audit(subject="something")[0]
    assert (entry.who, entry.address) == ("person ann", "192.0.2.1")


def test_some_things_are_the_operators_alone(caller) -> None:
    caller(None).must_be_operator()
    with pytest.raises(Problem, match="beyond_limits"), caller("Contoso").directory(beyond_limits=True):
        pass


def test_the_trace_the_sessions_and_the_queue_are_those_of_who_asks(caller) -> None:
    for tenant in (None, "Contoso"):
        asking = caller(tenant)
        with asking.traces() as traces, asking.directory() as editor:
            assert (traces.tenant, asking.recorded_in(editor).tenant) == (tenant, tenant)
    with caller("Contoso").mail_of("contoso") as mail:
        assert mail.owner is not None
        assert (mail.owner.name, mail.to_tenant) == ("Contoso", True)
    with pytest.raises(NotFound, match="no tenant 'fabrikam'"), caller("Contoso").mail_of("fabrikam"):
        pass
