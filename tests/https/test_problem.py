"""One shape for every error, on one line."""

import json

from gatepost.https.problem import Problem


def test_an_error_is_one_line_whatever_it_repeats() -> None:
    problem = Problem(404, "not-found", "there is no 'a\n\x1b[2Jb'", do="see \u202eabc", headers={"Retry-After": "1"})
    answer = problem.response
    assert answer.status_code == 404 and answer.headers["retry-after"] == "1"
    assert json.loads(answer.body) == {
        "error": {"code": "not-found", "says": "there is no 'a␊␛[2Jb'", "field": None, "do": "see \\u202eabc"}
    }
