"""Gauges have their series although there is nothing to tell of."""

from contextlib import closing
from datetime import UTC, datetime

from gatepost.app import open_editor
from gatepost.app.figures.gauges import gauges
from gatepost.config import Config
from gatepost.tenancy.tenant import InboundConnector, Tenant
from pki import Pki


def test_an_empty_queue_is_zero_in_each_state(installed: Config) -> None:
    found = {metric.name: metric for metric in gauges(installed)}
    assert {each.labels["state"]: each.value for each in found["gatepost_queue_recipients"].samples} == {
        "queued": 0,
        "active": 0,
        "held": 0,
        "bouncing": 0,
    }
    assert all(each.value == 0 for each in found["gatepost_queue_oldest_seconds"].samples)
    (certificate,) = found["gatepost_certificate_not_after_seconds"].samples
    assert certificate.value > 1.7e9


def test_a_certificates_name_is_one_line_of_visible_letters(installed: Config) -> None:
    name = 'x"} 1\r\ngatepost_queue_recipients{state="held"} 999\n\x1b[2J\u202e'
    anchor = Pki(installed.data).authority(name).pem
    with closing(open_editor(installed, who="test")) as editor:
        editor.put_tenant(Tenant(name="evil", created_at=datetime.now(UTC)), "add")
        connector = InboundConnector(
            tenant="evil", name="own", certificate_names=("mail.evil.example",), trust_anchors=(anchor,)
        )
        editor.put_inbound_connector(connector, "add")
    found = {metric.name: metric for metric in gauges(installed)}
    names = [each.labels["name"] for each in found["gatepost_certificate_not_after_seconds"].samples]
    assert any("999" in each for each in names)
    assert not any(control in each for each in names for control in "\r\n\x1b\u202e")
