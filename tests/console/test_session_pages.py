"""A session that does not exist, and one that is another's, read the same. What exists is in the end-to-end tests."""

from typing import Any

ID = "08DF4F93C5973840"


def test_what_is_not_there_is_a_page_that_says_so(console: Any) -> None:
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    assert olga.get(f"/sessions/{ID}").status_code == 404
    answer = ann.get(f"/sessions/{ID}")
    assert answer.status_code == 404 and "of yours" in answer.text
    assert olga.get("/sessions/nonsense").status_code == 404


def test_a_protocol_log_is_for_operators(console: Any) -> None:
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    answer = olga.get(f"/sessions/{ID}/protocol-log")
    assert answer.status_code == 404 and "protocol logs" in answer.text
    assert olga.get("/sessions/nonsense/protocol-log").status_code == 404
    assert ann.get(f"/sessions/{ID}/protocol-log").status_code == 403
