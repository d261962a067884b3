"""The roots of a mail loop that objects show."""

from gatepost.doctor.checks.loops import message_goes_round
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import read_text
from gatepost.doctor.symptoms import symptoms

BOUNCE = "554 5.4.14 Hop count exceeded - possible mail loop ATTR34 [AM5.eop-EUR02.prod.protection.outlook.com]\n\n"


def path(text: str):
    bundle = read_text(text, "evidence.txt")
    return mail_path(bundle, symptoms(bundle))


def test_a_rule_without_exception_is_the_root():
    rule = "Name : Signatures\nRouteMessageOutboundConnector : To service\nExceptIfHeaderContainsMessageHeader :\n"
    (broken,) = message_goes_round(path(BOUNCE + rule))
    assert "Set-TransportRule -Identity Signatures" in broken.edits[0].commands()[0].command


def test_without_a_loop_a_rule_is_no_fault():
    rule = "Name : Signatures\nRouteMessageOutboundConnector : To service\nExceptIfHeaderContainsMessageHeader :\n"
    assert list(message_goes_round(path(rule))) == []
