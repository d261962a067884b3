"""One tree of exceptions, drawn where it begins; a refusal is data that each face words for itself."""

import ast
import re
from pathlib import Path

import pytest

from gatepost import errors
from gatepost.errors import (
    BadRequest,
    ExpiredToken,
    LimitReached,
    Named,
    NotAllowed,
    NotFound,
    Refused,
    Said,
    refused_with,
    with_keys,
)

SOURCE = Path(errors.__file__).parent
ADDRESSES = Named(name="addresses", option="address")
RESTRICT = Named(name="restrict_to_address", option="restrict-to-address")
_PLAIN = {"Exception", "BaseException", "RuntimeError", "ValueError", "OSError", "KeyError", "LookupError"}


def _classes() -> list[tuple[str, set[str]]]:
    trees = (ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py"))
    return [
        (node.name, {base.id for base in node.bases if isinstance(base, ast.Name)})
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def test_every_public_exception_is_in_the_tree_and_drawn() -> None:
    classes = _classes()
    known = {"GatepostError"}
    while more := {name for name, bases in classes if bases & known} - known:
        known |= more
    roots = {name for name, bases in classes if bases & _PLAIN} - known
    assert not roots, "derive it from GatepostError"
    drawn = set(re.findall(r"\w+", errors.__doc__ or ""))
    assert known <= drawn, "draw it in gatepost/errors.py"


def test_each_face_writes_a_fields_name_in_its_own_way() -> None:
    refusal = BadRequest(RESTRICT, " needs ", ADDRESSES, next_step=("give ", ADDRESSES))
    assert str(refusal) == "--restrict-to-address needs --address; give --address"
    assert with_keys(refusal.said.message) == "restrict_to_address needs addresses"
    assert with_keys(refusal.said.next_step) == "give addresses"
    assert refusal.field is RESTRICT, "the first that it names, unless another is said"


def test_the_field_is_added_by_whoever_knows_it_and_never_replaced() -> None:
    assert BadRequest("64 hex digits").about(ADDRESSES).field is ADDRESSES
    assert BadRequest(RESTRICT, " is wrong").about(ADDRESSES).field is RESTRICT


def test_a_tenant_reads_what_names_nobody_else() -> None:
    refusal = NotFound("fabrikam has it", to_tenant=Said(message="somebody has it"))
    assert "fabrikam" not in str(refusal.to_tenant)
    assert NotFound("nothing there").to_tenant.message == ("nothing there",)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("not-found", NotFound),
        ("limit-reached", LimitReached),
        ("invalid", BadRequest),
        ("token-expired", BadRequest),
        ("something-newer", NotAllowed),
    ],
)
def test_a_refusal_that_was_sent_is_the_same_kind_whatever_its_words(code: str, kind: type[Refused]) -> None:
    refusal = refused_with(code, "in any words", field="addresses", next_step="do this")
    assert type(refusal) is kind and refusal.code == code
    assert str(refusal) == "in any words; do this"
    assert refusal.field and refusal.field.name == "addresses"


def test_a_token_that_opens_nothing_is_a_refusal_on_the_relay_itself() -> None:
    assert issubclass(ExpiredToken, NotAllowed)


def test_a_refusal_of_a_use_cases_own_is_read_as_its_kind() -> None:
    class Own(NotAllowed):
        def __init__(self, of: int) -> None:
            super().__init__(f"of {of}")

    read = refused_with("declined", "the relay said no", field="addresses")
    assert Own.code == "declined" and type(read) is NotAllowed and read.field is not None
