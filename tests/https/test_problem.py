"""One shape for every error, on one line."""

import json

from gatepost.errors import Named, NotAllowed, NotFound, Said, with_keys, with_options
from gatepost.https.problem import Problem, refusal, unavailable


def test_an_error_is_one_line_whatever_it_repeats() -> None:
    problem = Problem(404, "not-found", "there is no 'a\n\x1b[2Jb'", do="see \u202eabc", headers={"Retry-After": "1"})
    answer = problem.response
    assert answer.status_code == 404 and answer.headers["retry-after"] == "1"
    assert json.loads(answer.body) == {
        "error": {"code": "not-found", "says": "there is no 'a␊␛[2Jb'", "field": None, "do": "see \\u202eabc"}
    }


def test_a_refusal_says_to_a_tenant_what_a_tenant_may_read_and_names_fields_as_the_face_does() -> None:
    field = Named(name="certificate_names", option="certificate-name")
    to_tenant = Said(message=(field, " is taken"))
    error = NotAllowed(field, " is fabrikam's", next_step="see: gatepost domain list", to_tenant=to_tenant)
    operators = refusal(error, with_options, to_tenant=False)
    assert (operators.status_code, operators.says) == (409, "--certificate-name is fabrikam's")
    assert (operators.field, operators.do) == ("certificate_names", "see: gatepost domain list")
    tenants = refusal(error, with_keys, to_tenant=True)
    assert (tenants.says, tenants.do) == ("certificate_names is taken", None)
    assert refusal(NotFound("there is no x"), with_keys, to_tenant=True).status_code == 404


def test_a_store_that_is_away_is_worth_another_try() -> None:
    problem = unavailable()
    assert (problem.status_code, problem.code) == (503, "store-unavailable")
    assert problem.response.headers["retry-after"] == "5"
