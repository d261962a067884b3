"""The trace's routes are in the document, with every filter of the command."""

from gatepost.api.application import document
from gatepost.api.trace_routes import router


def test_every_filter_is_in_the_document() -> None:
    parameters = document()["paths"]["/v1/trace"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == [
        *("from", "to", "domain", "message_id", "subject", "tenant", "address", "certificate"),
        *("outcome", "reason", "since", "until", "limit", "cursor"),
    ]


def test_an_id_may_hold_a_slash() -> None:
    assert any(getattr(route, "path", "") == "/v1/trace/{id:path}" for route in router.routes)
    assert "/v1/trace/{id}" in document()["paths"]
