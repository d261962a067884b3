"""Tokens are shown once, are of those who may have them, and end when they are revoked."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.admin.directory import tokens
from gatepost.errors import RevokedToken


def made(browser: Any, **form: str) -> str:
    answer = browser.submit("/tokens", csrf=browser.csrf(), **{"scope-read": "on", "expires": "30d", **form})
    found = re.search(r"gp_[0-9a-f]{12}_[\w-]{43}", answer.text)
    assert answer.status_code == 200 and found, answer.text
    return found[0]


def test_a_token_is_shown_once_and_opens_until_it_is_revoked(console: Any) -> None:
    olga = console.person("olga")
    text = made(olga, tenant="contoso")
    id = text.split("_")[1]
    now = datetime.now(UTC)
    with console.editor() as editor:
        token = tokens.opened(editor, text, now)
        assert (token.tenant, token.scopes) == ("contoso", {"read"}) and token.expires_at is not None
    page = olga.get("/tokens").text
    assert id in page and text not in page and "contoso" in page
    for _ in range(2):
        assert olga.submit(f"/tokens/{id}/revoke", csrf=olga.csrf()).status_code == 303
    with console.editor() as editor, pytest.raises(RevokedToken):
        tokens.opened(editor, text, now)
    assert "revoked" in olga.get("/tokens").text


def test_an_administrator_of_a_tenant_has_its_tokens_and_no_others(console: Any) -> None:
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    theirs = [made(olga, tenant=tenant).split("_")[1] for tenant in ("fabrikam", "")]
    own = made(ann, tenant="fabrikam")
    with console.editor() as editor:
        assert tokens.opened(editor, own, datetime.now(UTC)).tenant == "contoso"
    page = ann.get("/tokens").text
    assert own.split("_")[1] in page and not any(each in page for each in theirs)
    for id in (*theirs, "0" * 12, "x"):
        assert ann.submit(f"/tokens/{id}/revoke", csrf=ann.csrf()).status_code == 404
    with console.editor() as editor:
        assert all((found := editor.token(id)) and found.revoked_at is None for id in theirs)


def test_what_is_wrong_stands_above_the_form_and_makes_nothing(console: Any) -> None:
    olga = console.person("olga")
    for form in ({"tenant": "tailspin"}, {"expires": "yesterday"}, {"expires": "99999999d"}):
        answer = olga.submit("/tokens", csrf=olga.csrf(), **form)
        assert answer.status_code == 409 and answer.text.count('role="alert"') == 1
    assert "No token is valid" in olga.get("/tokens").text


def test_a_token_that_may_do_nothing_is_refused_in_the_form(console: Any) -> None:
    ann = console.person("ann", "contoso")
    answer = ann.submit("/tokens", csrf=ann.csrf(), expires="30d")
    assert answer.status_code == 409 and "choose at least one" in answer.text and "gp_" not in answer.text
    with console.editor() as editor:
        assert list(tokens.every(editor, "contoso")) == []
