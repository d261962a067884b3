"""What a relay of one's own refuses for another reason than relaying (size, greeting, sender, client, greylisting), and
where its login at the next host got lost."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from typing import Final, NamedTuple

from gatepost.doctor.addresses import is_private, parsed_address
from gatepost.doctor.checks.check import Check
from gatepost.doctor.evidence import EximLine, RelayPolicyReject
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, seen
from gatepost.doctor.repairs import Advice


class _Reason(NamedTuple):
    words: tuple[str, ...]
    """Any of them, in the refusal's text."""
    says: str
    repairs: dict[str, str]
    """By program; `Postfix` where the program is another."""


_FIRST: Final = "permit_mynetworks must stand first, and {client} be in mynetworks; then: postfix reload"
_REASONS: Final = (
    _Reason(
        ("message size exceeds", "message too big", "size limit", "message too large"),
        "the message is larger than it takes",
        {
            "Postfix": "postconf -e 'message_size_limit = 52428800' && postfix reload   # bytes; unset it is 10240000; a file grows by a third in base64; mailbox_size_limit must not be smaller, and no more than the next hop takes",
            "Exim": "# main section: message_size_limit = 50M; then: systemctl reload exim4",
            "sendmail": "# sendmail.mc: define(`confMAX_MESSAGE_SIZE', `52428800')dnl; then: make -C /etc/mail restart",
            "OpenSMTPD": '# smtpd.conf: smtp max-message-size "50M"; then a restart',
            "Exchange": "Get-ReceiveConnector | Format-List 'Identity','MaxMessageSize'   # then Set-ReceiveConnector -MaxMessageSize 50MB on the one that took the session",
        },
    ),
    _Reason(
        ("helo command rejected", "invalid hostname", "need fully-qualified hostname"),
        "it does not like the name in HELO",
        {
            "Postfix": f"postconf smtpd_helo_restrictions   # {_FIRST}; or let the client greet with a full host name",
            "Exim": "# the acl of HELO: accept hosts = +relay_from_hosts before what denies; then: systemctl reload exim4",
        },
    ),
    _Reason(
        ("sender address rejected: domain not found", "domain of sender address", "sender verify failed"),
        "it does not find the sender's domain in its DNS",
        {
            "Postfix": f"postconf smtpd_sender_restrictions   # {_FIRST}; or give the program a sender whose domain exists: <accepted domain>",
            "Exim": "# the acl of RCPT: accept hosts = +relay_from_hosts before require verify = sender; then: systemctl reload exim4",
        },
    ),
    _Reason(
        ("cannot find your hostname", "cannot find your reverse hostname", "client host rejected"),
        "it refuses the client's address",
        {"Postfix": f"postconf smtpd_client_restrictions   # {_FIRST}; or give {{client}} a PTR record"},
    ),
    _Reason(
        ("greylist", "try again later", "please retry"),
        "it makes strangers wait, and takes its own client for one",
        {"Postfix": f"postconf smtpd_recipient_restrictions   # {_FIRST}: before check_policy_service"},
    ),
)


def smart_host_sees_the_login(path: MailPath) -> Iterator[Check]:
    """Exim logs `A=` where it logged in. Debian looks the password up by the name that the host really has, so an alias
    that leads elsewhere takes the login away without a word."""
    refused = next((each for each in path.bundle.exim if _is_relay_refusal(each) and not _logged_in(each)), None)
    before = next(
        (
            each
            for each in path.bundle.exim
            if refused is not None and _logged_in(each) and each.transport == refused.transport
        ),
        None,
    )
    if refused is None or before is None:
        return
    moved = refused.host.casefold() != before.host.casefold()
    yield Check(
        cause="smart-host-wants-login",
        standing="broken",
        subject=refused.host,
        says=f"{refused.host} refuses to relay, for the session has no login (no A= in the line); earlier lines of the same transport have one"
        + (f". The smart host was {before.host} then: passwd.client has no entry for the new name." if moved else "."),
        premises=(seen(refused, refused), seen(before, before)),
        explains=frozenset(("relay-refused", "login-demanded", "local-relay-refused")),
        way="out",
        edits=(
            Advice(
                "Exim",
                f"# /etc/exim4/passwd.client: a line {refused.host}:USER:PASSWORD (or *.{refused.host.partition('.')[2]}:USER:PASSWORD), the user and password as for {before.host}; then: update-exim4.conf && systemctl reload exim4",
            ),
        ),
        verify="The next delivery's line shows A= and C=\"250.",
        alone=True,
        place=50,
    )


def _is_relay_refusal(line: EximLine) -> bool:
    text = line.quote.casefold()
    return line.mark in ("**", "==") and any(
        word in text for word in ("relay", "authentication required", "not authenticated", "must authenticate")
    )


def _logged_in(line: EximLine) -> bool:
    return " A=" in line.quote


def takes_what_its_clients_send(path: MailPath) -> Iterator[Check]:
    for reject in path.bundle.relay_rejects:
        reason = _reason_of(reject)
        if reason is None or not _is_inside(reject):
            continue
        client = reject.client_address or "the client"
        program = reject.software if reject.software in reason.repairs else "Postfix"
        limit = path.bundle.postfix_setting("message_size_limit")
        shown: tuple[Told[object], ...] = (seen(limit, limit),) if limit is not None else ()
        yield Check(
            cause="local-relay-refused-first",
            standing="broken",
            subject=f"{client} {reason.says}",
            says=f"{reject.host or 'Your own relay'} refuses {reject.client_name or 'the client'} [{client}] itself, for {reason.says}: {reject.text}. Nothing was asked of the service.",
            premises=(seen(reject, reject), *shown),
            explains=frozenset(("relay-refused", "local-relay-refused", "nothing-goes")),
            way="out",
            edits=(Advice(program, reason.repairs[program].replace("{client}", client)),),
            verify="The relay takes the message and logs a line with status=sent.",
            alone=True,
            place=15,
        )
        return


def _reason_of(reject: RelayPolicyReject) -> _Reason | None:
    text = (reject.text or reject.quote).casefold()
    return next((each for each in _REASONS if any(word in text for word in each.words)), None)


def _is_inside(reject: RelayPolicyReject) -> bool:
    """A stranger's mail may well be refused for these."""
    address = parsed_address(reject.client_address)
    return address is not None and is_private(address)
