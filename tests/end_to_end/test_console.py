"""The console of a running relay: every page, for every role, of its own tenant and of another."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from end_to_end.console_client import Browser, link_for, person
from end_to_end.installation import Installation, wait_until
from end_to_end.scene import MESSAGE, Certificates, with_two_tenants
from end_to_end.smtp_client import SmtpClient

ROUTES = tomllib.loads((Path(__file__).parents[1] / "console/routes.toml").read_text("utf-8"))["route"]
ROLES = {
    "operator": ("--operator",),
    "operator-read": ("--operator", "--role", "operator-read"),
    "tenant-admin": ("--tenant", "contoso"),
    "tenant-read": ("--tenant", "contoso", "--role", "tenant-read"),
    "trace-without-subject": ("--tenant", "contoso", "--role", "trace-without-subject"),
}
RETRY = '[retry]\nglitch_interval = "1h"\ntransient_interval = "1h"\ninterval = "1h"\n'


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    """Its mail stays in the queue: nobody listens where it should go."""
    roots = certificates.pki.roots_file
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=roots, console=True, workers=1, tables=RETRY)
    with_two_tenants(relay, 9)
    with relay.serving():
        yield relay


@pytest.fixture(scope="module")
def known(relay: Installation) -> dict[str, str]:
    """Names of contoso's message and of fabrikam's, for the addresses in the table."""
    names: dict[str, str] = {}
    for prefix, sender, source in (
        ("", "ann@contoso.com", "127.0.1.1"),
        ("foreign_", "fred@fabrikam.com", "127.0.2.1"),
    ):
        with SmtpClient(relay.port, source=source) as smtp:
            smtp.ehlo()
            assert smtp.mail(sender, "bob@outside.example").code == 250
            names[f"{prefix}message"] = smtp.content(MESSAGE).text.split()[2]

        def found(sender: str = sender) -> Any:
            return [each for each in relay.told("trace", "--from", sender)["items"] if each["outcome"] == "delayed"]

        (item,) = wait_until(found, f"the trace of {sender}")
        names |= {f"{prefix}item": item["id"], f"{prefix}session": item["session_id"]}
        wait_until(lambda id=item["session_id"]: relay.run("why", id).returncode == 0, "the session record")
        with SmtpClient(relay.port, source="127.0.9.8") as smtp:
            smtp.ehlo()
            assert "5.7.64" in smtp.mail(sender, "bob@outside.example").text

        def refused(sender: str = sender) -> Any:
            return relay.told("trace", "--from", sender, "--outcome", "refused")["items"]

        (item,) = wait_until(refused, f"the refusal of {sender}")
        tenant = sender.partition("@")[2].removesuffix(".com")
        relay("inbound-connector", "set", tenant, "mail", "--comment", "for the table")
        (change,) = relay.told("audit", "list", f"inbound-connector {tenant}/mail", "--limit", "1")
        names |= {f"{prefix}refused": item["id"], f"{prefix}change": str(change["version"])}
        relay("token", "add", "--tenant", tenant, "--out", str(relay.folder / f"{tenant}.token"))
        names[f"{prefix}token"] = relay.told("token", "list", "--tenant", tenant)[0]["id"]
    relay("person", "add", "somebody", "--tenant", "contoso")
    relay("person", "add", "fabrikams-person", "--tenant", "fabrikam")
    return names


@pytest.fixture(scope="module")
def people(relay: Installation, known: dict[str, str]) -> dict[str, Browser]:
    relay.wait_for_output("console on https")
    browsers = {role: person(relay, f"{role}-person", *options) for role, options in ROLES.items()}
    return {"nobody": Browser(relay), **browsers}


def asked(browser: Browser, route: dict[str, Any], path: str, form: dict[str, str]) -> httpx.Response:
    if route["method"] == "GET":
        return browser.get(path)
    return browser.submit(path, csrf=browser.csrf() if browser.session else "", **form)


@pytest.mark.parametrize("role", ["nobody", *ROLES])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route['method']} {route['path']}")
def test_each_page_answers_each_role_as_the_table_says(
    people: dict[str, Browser], known: dict[str, str], route: dict[str, Any], role: str
) -> None:
    def filled(texts: dict[str, str]) -> dict[str, str]:
        return {name: text.format(**known, role=role) for name, text in texts.items()}

    browser = people[role]
    for path in route["asks"]:
        answer = asked(browser, route, path.format(**known), filled(route.get("form", {})))
        assert answer.status_code == route["answers"][role], path
        if role == "nobody" and answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in")
        if role.startswith("t"):
            assert "fabrikam" not in answer.text, path
    for path in route.get("foreign", []) if role != "nobody" else []:
        answer = asked(browser, route, path.format(**known), filled(route.get("foreign_form", {})))
        assert answer.status_code in route["foreign_answers"][role], path
        if role.startswith("t"):
            assert "fred@" not in answer.text.replace("fred@fabrikam.com", "", 2 * path.count("fred@")), path
            assert "127.0.2.1" not in answer.text, path


def test_what_is_shown_of_a_refusal_is_what_why_shows(relay: Installation, people: dict[str, Browser]) -> None:
    with SmtpClient(relay.port, source="127.0.9.9") as smtp:
        smtp.ehlo()
        reply = smtp.mail("ann@contoso.com", "bob@outside.example").text
    operator = person(relay, "olga", "--operator")
    found = wait_until(
        lambda: (answer := operator.get("/search", params={"q": reply})).status_code == 303 and answer, "the trace"
    )
    page = wait_until(
        lambda: "Attribution" in (text := operator.get(found.headers["location"]).text) and text, "the session record"
    )
    session = reply.rpartition(" ")[2].strip("]")
    for reason in relay.json("why", session)["reasons"]:
        assert reason["code"] in page
    assert "address-not-in-range" in page and "contoso/mail" in page
    log = operator.get(f"/sessions/{session}/protocol-log").text
    assert "MAIL FROM" in log and "550 5.7.64" in log


def test_a_person_who_is_removed_is_out_at_once(relay: Installation, people: dict[str, Browser]) -> None:
    browser = person(relay, "gone", "--operator")
    assert browser.get("/trace").status_code == 200
    relay("person", "remove", "gone")
    assert browser.get("/trace").status_code == 303


def test_a_link_survives_a_restart_of_the_console_and_so_do_sessions(
    relay: Installation, people: dict[str, Browser]
) -> None:
    browser = person(relay, "stays", "--operator")
    link = link_for(relay, "add", "comes", "--tenant", "fabrikam")
    relay.output_begins_here()
    assert relay.process is not None
    before = relay.worker_pids()
    relay.process.send_signal(1)
    relay.wait_for_output("reloaded")
    # Who comes to a console that is about to end may be turned away.
    wait_until(lambda: not set(before) & set(relay.worker_pids()), "the processes to be replaced")
    assert wait_until(lambda: _status(browser, "/trace") == 200, "the console")
    Browser(relay).come_in(link)


def _status(browser: Browser, path: str) -> int:
    try:
        return browser.get(path).status_code
    except httpx.TransportError:
        return 0
