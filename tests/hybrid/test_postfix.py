"""What `postconf` prints, read; and what it is told, written."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.hybrid.plan import difference
from gatepost.hybrid.postfix import (
    DEFAULT_TRANSPORT,
    OWN_SERVICE,
    commands,
    desired_at_postfix,
    notes,
    observed,
    parameters,
    service_line,
    services,
    shell_lines,
)
from hybrid.worlds import DESIRED

PRINTED = """\
smtp       inet  n       -       y       -       -       smtpd
gatepost   unix  -       -       n       -       -       smtp -o smtp_tls_security_level=encrypt -o { smtp_tls_note = two words }
relay      unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
"""  # noqa: E501


def test_services_and_their_options_are_read() -> None:
    found = services(PRINTED)
    assert found["gatepost/unix"] == {
        "columns": "- - n - -",
        "command": "smtp",
        "-o smtp_tls_security_level": "encrypt",
        "-o smtp_tls_note": "two words",
    }
    assert found["smtp/inet"] == {"columns": "n - y - -", "command": "smtpd"}


def test_parameters_are_read_with_whatever_they_hold() -> None:
    assert parameters("relayhost =\nsmtpd_banner = $myhostname = ok\n") == {
        "relayhost": "",
        "smtpd_banner": "$myhostname = ok",
    }


_WORD = st.text("abcxyz/._:$-", min_size=1, max_size=12)


@given(
    options=st.dictionaries(
        st.from_regex(r"smtp_[a-z]{1,8}", fullmatch=True), st.one_of(_WORD, st.just(""), st.just("a b")), max_size=4
    )
)
def test_a_service_reads_back_as_it_was_written(options: dict[str, str]) -> None:
    fields = {"columns": "- - n - -", "command": "smtp", **{f"-o {name}": value for name, value in options.items()}}
    assert services(service_line("gatepost/unix", fields)) == {"gatepost/unix": fields}


def test_the_certificate_is_shown_by_a_transport_of_its_own_and_by_no_other() -> None:
    wanted = desired_at_postfix(DESIRED, observed({"relayhost": "[other.example]"}, services(PRINTED)), "/roots.pem")
    assert [each.object for each in wanted] == [OWN_SERVICE, DEFAULT_TRANSPORT]
    assert wanted[0].fields["-o smtp_tls_cert_file"] == DESIRED.certificate
    assert wanted[1].presents


@pytest.mark.parametrize(("level", "kept"), [("may", "encrypt"), ("verify", "verify"), ("secure", "secure")])
def test_a_stronger_level_that_is_there_stays(level: str, kept: str) -> None:
    there = {OWN_SERVICE: {"columns": "- - n - -", "command": "smtp", "-o smtp_tls_security_level": level}}
    assert desired_at_postfix(DESIRED, there, None)[0].fields["-o smtp_tls_security_level"] == kept


def test_the_commands_can_be_pasted() -> None:
    wanted = desired_at_postfix(DESIRED, {}, None)
    changes, _ = difference(wanted, {"postfix": {}}, {})
    lines = shell_lines(changes, "/etc/postfix two")
    assert [shlex.split(line)[:3] for line in lines] == [
        ["postconf", "-c", "/etc/postfix two"],
        ["postconf", "-c", "/etc/postfix two"],
        ["postfix", "-c", "/etc/postfix two"],
    ]
    assert shlex.split(lines[1])[3:] == ["-e", "default_transport = gatepost:[relay.example.net]:2525"]
    assert [commands(change)[0][0] for change in changes] == ["-M", "-e"]


def test_what_comes_before_the_default_transport_is_told() -> None:
    (note,) = notes({"transport_maps": "hash:/etc/postfix/transport", "relayhost": ""})
    assert "transport_maps = hash:/etc/postfix/transport comes before default_transport" in note
