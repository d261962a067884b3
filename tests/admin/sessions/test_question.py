"""What `explain` is asked: read from options or a body, and sent on without loss."""

import pytest

from gatepost.admin.sessions.explain import SOMEWHERE, Question
from gatepost.admin.sessions.question import body_of, question
from gatepost.app.admin_wiring import chain_in
from gatepost.errors import BadRequest, with_keys
from gatepost.mail.address import NULL_REVERSE_PATH
from pki import Pki


def test_what_is_left_out_is_an_address_that_nobody_lists_and_no_tls() -> None:
    asked = question(mail_from="", rcpt_to=["b@outside.example"])
    assert asked.address == SOMEWHERE and asked.reverse_path is NULL_REVERSE_PATH
    assert not asked.tls and asked.chain == ()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"address": "192.0.2"}, "address"),
        ({"mail_from": "ann@"}, "mail_from"),
        ({"rcpt_to": ["a@contoso.com", "b"]}, "rcpt_to"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(said: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        question(**{"mail_from": "a@contoso.com", "rcpt_to": ["b@outside.example"], **said})  # type: ignore[arg-type]
    assert refused.value.field and refused.value.field.name == field
    assert with_keys(refused.value.said.message).startswith(f"{field} ")


def test_a_body_says_the_same_question(tmp_path_factory: pytest.TempPathFactory) -> None:
    pki = Pki(tmp_path_factory.mktemp("pki"))
    pem = pki.leaf("mail.contoso.com").certificate_file.read_text()
    asked = question(
        mail_from="a@contoso.com",
        rcpt_to=["b@outside.example", "c@fabrikam.com"],
        address="2001:db8::1",
        ehlo="mail.contoso.com",
        tls=True,
        chain=chain_in(pem),
    )
    body = body_of(asked, None)
    assert body.pop("listener") is None
    assert _read(body) == asked
    null = question(mail_from="<>", rcpt_to=["b@outside.example"])
    assert _read({key: value for key, value in body_of(null, "x").items() if key != "listener"}) == null


def _read(body: dict[str, object]) -> Question:
    pem = body.pop("certificate")
    return question(**body, chain=chain_in(str(pem)) if pem else ())  # type: ignore[arg-type]
