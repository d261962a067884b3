"""Terms lead to the rows that hold a thing; another case of an address has the same one."""

from gatepost.store.trace import terms
from gatepost.trace.story import Outcome


def test_terms_of_one_text_differ_by_what_it_is() -> None:
    address = "ann@contoso.com"
    found = {terms.of_sender(address), terms.of_recipient(address), terms.of_message_id(address)}
    assert len(found) == 3 and all(0 <= each < 2**31 for each in found)


def test_the_case_of_an_address_makes_no_difference() -> None:
    assert terms.of_sender("Ann@Contoso.com") == terms.of_sender("ann@contoso.COM")


def test_numbers_of_any_size_fit() -> None:
    made = (terms.of_session(2**63 - 1), terms.of_message(2**62), terms.of_tenant(2**40))
    assert all(0 <= each < 2**31 for each in (*made, terms.of_tenant_and_outcome(2**40, Outcome.REMOVED)))
    assert terms.of_outcome(Outcome.REFUSED) != terms.of_outcome(Outcome.BOUNCED)
