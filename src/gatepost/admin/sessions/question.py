"""The session that `explain` is asked about, as an administrator writes it: options of the command, a body of the API.

options, or a body ─▶ `question` ─▶ Question ─▶ explain
                                       └─▶ `body_of` ─▶ a relay elsewhere
"""

from base64 import encodebytes
from collections.abc import Sequence
from ipaddress import ip_address

from gatepost.admin.sessions.explain import SOMEWHERE, Question
from gatepost.errors import BadRequest, Named
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.fields import Record

CERTIFICATE = Named(name="certificate", option="certificate")
LISTENER = Named(name="listener", option="listener")
_ADDRESS = Named(name="address", option="address")
_MAIL_FROM = Named(name="mail_from", option="mail-from")
_RCPT_TO = Named(name="rcpt_to", option="rcpt-to")


def question(
    *,
    mail_from: str,
    rcpt_to: Sequence[str],
    address: str | None = None,
    ehlo: str = "",
    tls: bool = False,
    chain: tuple[CertificateFacts, ...] = (),
) -> Question:
    """Raises `BadRequest`."""
    return Question(
        address=SOMEWHERE if address is None else _address(address),
        ehlo=ehlo,
        tls=tls,
        chain=chain,
        reverse_path=_reverse_path(mail_from),
        forward_paths=tuple(_mailbox(each, _RCPT_TO) for each in rcpt_to),
    )


def body_of(asked: Question, listener: str | None) -> Record:
    """For the Management API of a relay elsewhere."""
    reverse_path = "" if asked.reverse_path is NULL_REVERSE_PATH else str(asked.reverse_path)
    return {
        "mail_from": reverse_path,
        "rcpt_to": [str(each) for each in asked.forward_paths],
        "address": None if asked.address == SOMEWHERE else str(asked.address),
        "ehlo": asked.ehlo,
        "tls": asked.tls,
        "certificate": "".join(map(_pem, asked.chain)) or None,
        "listener": listener,
    }


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise BadRequest(_ADDRESS, f" {text}: not an IP address, such as 192.0.2.1 or 2001:db8::1") from None


def _reverse_path(text: str) -> ReversePath:
    return NULL_REVERSE_PATH if text in ("", "<>") else _mailbox(text, _MAIL_FROM)


def _mailbox(text: str, field: Named) -> Mailbox:
    found = read_mailbox(text.removeprefix("<").removesuffix(">"), irregular=True)
    if isinstance(found, BadPath):
        raise BadRequest(field, f" {text}: {found.says}; write it like ann@contoso.com")
    return found


def _pem(certificate: CertificateFacts) -> str:
    encoded = encodebytes(certificate.der).decode("ascii")
    return f"-----BEGIN CERTIFICATE-----\n{encoded}-----END CERTIFICATE-----\n"
