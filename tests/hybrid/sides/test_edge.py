"""The edge's side, in its own directory."""

from pathlib import Path

import pytest

from gatepost.app import open_editor
from gatepost.hybrid import edge_defaults
from gatepost.hybrid.errors import ApplyError, NotChanged
from gatepost.hybrid.plan import Change
from gatepost.hybrid.sides.edge import EdgeSide
from gatepost.tenancy.record import send_connector_record
from gatepost.tenancy.tenant import SendConnector
from hybrid.parts import Scene

TENANT, DOMAIN, WAY = "tenant on-premises", "accepted-domain contoso.com", "send-connector to-relay"
OWN_DOMAIN = {"tenant": "on-premises", "match_subdomains": False, "verified": True}
CONNECTOR = {k: v for k, v in send_connector_record(SendConnector(name="", address_spaces=())).items() if k != "name"}


def change(name: str, before: dict[str, object] | None, after: dict[str, object] | None) -> Change:
    return Change(order=1, side="edge", object=name, action="update", before=before, after=after, why="", risk="none")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def side(scene: Scene) -> EdgeSide:
    return EdgeSide(open_editor(scene.config), scene.clock)


def test_what_is_written_is_read_again_and_taken_back(side: EdgeSide) -> None:
    before = side.everything()
    written = {TENANT: {}, DOMAIN: OWN_DOMAIN, WAY: {**CONNECTOR, "smart_hosts": [{"host": "r.example", "port": 25}]}}
    for name, fields in written.items():
        side.write(change(name, None, fields))
    assert side.read(written) == written
    for name, fields in reversed(written.items()):
        side.write(change(name, fields, None))
    assert side.everything() == before


def test_the_tenant_of_an_edge_may_list_any_network(side: EdgeSide, scene: Scene) -> None:
    side.write(change(TENANT, None, {}))
    tenant = open_editor(scene.config).tenant("on-premises")
    assert tenant is not None
    assert (tenant.limits, tenant.created_at) == (edge_defaults.LIMITS, scene.clock.at)


def test_what_somebody_changed_meanwhile_is_left_alone(side: EdgeSide, scene: Scene) -> None:
    side.write(change(WAY, None, CONNECTOR))
    other = EdgeSide(open_editor(scene.config), scene.clock)
    other.write(change(WAY, CONNECTOR, {**CONNECTOR, "fqdn": "mail.contoso.com"}))
    with pytest.raises(NotChanged, match="gatepost audit"):
        side.write(change(WAY, CONNECTOR, None))
    assert side.read([WAY]) == {WAY: {**CONNECTOR, "fqdn": "mail.contoso.com"}}


def test_a_domain_has_one_owner(side: EdgeSide) -> None:
    for tenant in ("on-premises", "other"):
        side.write(change(f"tenant {tenant}", None, {}))
    side.write(change(DOMAIN, None, {**OWN_DOMAIN, "tenant": "other"}))
    with pytest.raises(NotChanged, match="verified for tenant other"):
        side.write(change(DOMAIN, side.read([DOMAIN])[DOMAIN], OWN_DOMAIN))


def test_a_directory_that_cannot_be_read_is_an_error_of_the_wizard(scene: Scene) -> None:
    editor = open_editor(scene.config)
    side = EdgeSide(editor, scene.clock)
    scene.config.directory_file.write_bytes(b"no database at all, not even a page of one" * 200)
    with pytest.raises(ApplyError):
        side.everything()
