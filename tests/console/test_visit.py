"""What a request says."""

from gatepost.console.attempts import Attempts
from gatepost.console.visit import Visit, csrf_of


def test_a_token_of_a_form_belongs_to_one_session_and_does_not_show_it() -> None:
    assert csrf_of("one") == csrf_of("one") != csrf_of("two") and "one" not in csrf_of("one")


def test_what_is_left_empty_is_not_said(console) -> None:
    visit = Visit(
        config=console.config,
        attempts=Attempts(600),
        address="192.0.2.1",
        path="/",
        query={"a": "  ", "b": " x "},
        part={},
        form={},
        cookies={},
        providers={},
    )
    assert (visit.said("a"), visit.said("b"), visit.said("c")) == (None, "x", None)
    assert visit.with_request({"id": "1"}, {"csrf": "2"}).form == {"csrf": "2"}
