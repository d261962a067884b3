"""From a bounce to the repaired connector in the console: who it could be, the form, the trial, and the way back."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from end_to_end.console_client import Browser, person
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import Certificates, until_known, with_two_tenants
from end_to_end.smtp_client import SmtpClient


class Form(HTMLParser):
    """What the form on a page whose step is `step` would send."""

    def __init__(self, text: str, step: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._area: str | None = None
        self.feed(text)
        self.fields = next(each for each in self.forms if each.get("step") == step)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and (said.get("type") != "checkbox" or "checked" in said):
            self.forms[-1][said["name"]] = said.get("value", "")
        elif tag == "textarea":
            self._area = said["name"]
            self.forms[-1][self._area] = ""
        elif tag == "select":
            self.forms[-1][said["name"]] = "on-premises" if said["name"] == "type" else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1][self._area] += data


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    roots = certificates.pki.roots_file
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=roots, console=True, workers=1)
    with Outside() as outside:
        with_two_tenants(relay, outside.sink().port)
        for tenant in ("contoso", "fabrikam"):
            relay("inbound-connector", "set", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
        with relay.serving():
            relay.wait_for_output("console on https")
            yield relay


def answered(relay: Installation, certificate: Any, sender: str) -> str:
    with SmtpClient(relay.port, source="127.0.99.7") as smtp:
        smtp.starttls(certificate)
        return smtp.mail(sender, "bob@outside.example").text


def of_story(browser: Browser, reply: str) -> str:
    """The id of the trace to which the search box leads with a refusal."""
    found = wait_until(
        lambda: (answer := browser.get("/search", params={"q": reply})).status_code == 303 and answer, "the trace"
    )
    return str(found.headers["location"]).rpartition("/")[2]


@pytest.mark.parametrize("role", ["operator", "tenant"])
def test_a_bounce_leads_to_the_repaired_connector_and_back(
    relay: Installation, certificates: Certificates, role: str
) -> None:
    renewed = certificates.pki.leaf(f"smtp-{role}.contoso.com")
    who = person(relay, f"{role}-repairs", *(("--operator",) if role == "operator" else ("--tenant", "contoso")))
    stranger = person(relay, f"{role}-fred", "--tenant", "fabrikam")
    reply = answered(relay, renewed, "ann@contoso.com")
    assert "certificate-name-matches-no-connector" in reply
    id = of_story(who, reply)
    assert stranger.get(f"/unattributed/{id}").status_code == 404

    wait_until(lambda: f"names smtp-{role}.contoso.com" in who.get(f"/unattributed/{id}").text, "who it could be")
    page = who.get(f"/unattributed/{id}").text
    assert "proven" in page and "fabrikam" not in page
    (address,) = re.findall(r'href="(/tenants/contoso/connector-form[^"]*)"', page)
    form = Form(who.get(address.replace("&amp;", "&")).text, "try").fields
    assert form["certificate_names"].split() == ["mail.contoso.com", f"smtp-{role}.contoso.com"]

    tried = who.submit("/tenants/contoso/connector-form", **form)
    assert tried.status_code == 200, tried.text
    this = tried.text.partition("This session")[2].partition("Other mail")[0]
    assert "refused" in this and "contoso by connector mail (certificate)" in re.sub(r"<[^>]*>", "", this).replace(
        "contoso/", ""
    )
    assert "Nothing else would change" in tried.text or "No other recent session" in tried.text
    assert "5.7.64" in answered(relay, renewed, "ann@contoso.com"), "nothing is saved by a trial"

    saved = who.submit("/tenants/contoso/connector-form", **Form(tried.text, "save").fields)
    assert saved.status_code == 303, saved.text
    version = saved.headers["location"].rpartition("=")[2]
    assert f"Saved as change {version}" in who.get(saved.headers["location"]).text
    until_known(relay)
    assert answered(relay, renewed, "ann@contoso.com").startswith("250")

    assert stranger.get(f"/changes/{version}").status_code == 404
    assert f"smtp-{role}.contoso.com" in who.get(f"/changes/{version}").text
    assert who.submit(f"/changes/{version}/take-back", csrf=who.csrf()).status_code == 303
    until_known(relay)
    assert "5.7.64" in answered(relay, renewed, "ann@contoso.com")
    (entry,) = relay.told("audit", "list", "inbound-connector contoso/mail", "--limit", "1")
    assert (entry["action"], entry["who"]) == ("take-back", f"person {role}-repairs")
