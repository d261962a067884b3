"""What was asked for, as a value that a plan keeps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.hybrid.request import SetupRequest, request_from
from gatepost.tenancy.tenant import SmartHost

REQUEST = SetupRequest(
    relay="https://relay.example.net:8443",
    token_file=Path("/etc/gatepost/token"),
    smart_host=SmartHost(host="relay.example.net", port=25),
    domains=("contoso.com",),
    certificate=Path("/etc/gatepost/mail.pem"),
    key=Path("/etc/gatepost/mail.key"),
)


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        replace(
            REQUEST, postfix=True, config_directory=Path("/etc/postfix"), relay_ca=Path("/ca.pem"), tenant="contoso"
        ),
        replace(REQUEST, trust_anchors=(Path("/etc/anchor.pem"),), mailboxes=SmartHost(host="exchange", port=26)),
    ],
)
def test_a_request_is_read_back_from_a_plan_file(request_: SetupRequest) -> None:
    assert request_from(json.loads(json.dumps(request_.record()))) == request_


def test_a_plan_of_a_version_before_says_nothing_of_mailboxes() -> None:
    record = {name: value for name, value in REQUEST.record().items() if name != "mailboxes"}
    assert request_from(record) == REQUEST
