"""How long a repair takes to show, and what becomes of the mail, follow from its kind and from the replies seen."""

# ruff: noqa: E501 - evidence is as long as it is

import json

from doctor.pasted import first
from gatepost.doctor.afterwards import with_what_follows
from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.explanation import explained
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.reading import read_text
from gatepost.doctor.report import document, html, lines, markdown

OFF = """
    Name                     : Relay
    Enabled                  : False
    ConnectorType            : OnPremises
    SenderIPAddresses        : {198.51.100.7}
"""
REFUSED = "Remote server returned '550 5.7.64 TenantAttribution; Relay Access Denied [x.prod.protection.outlook.com]'\n"
DEFERRED = "Mar  2 09:14:11 mx1 postfix/smtp[9001]: 3F2C1400A1: to=<a@gull.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.gull.example[203.0.113.9]:25: Connection timed out)\n"


def after(text: str, *fixes: Fix) -> Finding:
    path = explained(read_text(text, "evidence.txt")).path
    return with_what_follows(Finding(confidence="medium", specificity=70, summary="", fix=fixes), path)


def test_a_connector_of_the_tenant_takes_up_to_an_hour_and_what_was_refused_is_gone():
    found = first(connector=OFF, bounce=REFUSED)
    assert found and found.takes.startswith("Up to an hour") and "sent again" in found.waiting_mail


def test_deferred_mail_waits_in_the_queue_of_the_program_that_is_there():
    done = after(DEFERRED, Fix("Postfix", "postfix reload"))
    assert done.takes.startswith("At once") and "postqueue -f" in done.waiting_mail
    assert "sent again" not in done.waiting_mail


def test_a_record_takes_its_ttl_and_a_listing_days():
    assert "TTL" in after(REFUSED, Fix("network", 'TXT record of tern.example: "v=spf1 ip4:192.0.2.1 -all"')).takes
    assert "two days" in after(REFUSED, Fix("network", "request delisting of 192.0.2.1")).takes


def test_without_a_command_nothing_follows():
    done = after(REFUSED)
    assert (done.takes, done.waiting_mail) == ("", "")


def test_every_form_of_the_report_says_it():
    diagnosis = diagnose(read_text(OFF + REFUSED, "evidence.txt"))
    said = diagnosis.findings[0].takes
    assert json.loads(json.dumps(document(diagnosis)))["findings"][0]["takes"] == said
    assert said.split(",")[0] in " ".join(each.text.strip() for each in lines(diagnosis))
    assert said in markdown(diagnosis) and said in html(diagnosis)
