"""Notices: a tenant's contact is told by mail what will stop working.

What flows through: prospects in, one message a tenant out, with what it has not been told. Laws: a prospect is told
once at each of the forecast's stages that it reaches, one without a date once at all; nobody is told of another tenant.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid
from textwrap import fill

from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import Body, Envelope
from gatepost.mail.path_grammar import read_mailbox
from gatepost.queue.message import MemoryContent, NewMessage, NewRecipient

ToldKey = tuple[str, str, str, str, int]
"""Tenant, code, connector, subject, and the stage in days (0: without a date)."""

_WIDTH = 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one contact."""

    tenant: str
    contact: str
    keys: tuple[ToldKey, ...]
    """What is told in it: to be remembered once the message is kept."""
    octets: bytes


def message_of(notice: Notice, session_id: str, at: float) -> NewMessage:
    """As the queue takes it: with the null reverse-path, so that nothing comes back."""
    contact = read_mailbox(notice.contact)
    assert isinstance(contact, Mailbox), "what is stored as a contact was read as a mailbox"
    return NewMessage(
        session_id=session_id,
        received_at=at,
        envelope=Envelope(
            reverse_path=NULL_REVERSE_PATH,
            body=Body.SEVEN_BIT if notice.octets.isascii() else Body.EIGHT_BIT_MIME,
            smtputf8=not notice.contact.isascii(),
        ),
        recipients=(NewRecipient(forward_path=contact, tenant=None, connector=None),),
        content=MemoryContent(notice.octets),
    )


def told_key(prospect: ForecastItem, at: datetime) -> ToldKey:
    stage = prospect.stage(at)
    return prospect.tenant, prospect.code.value, prospect.connector, prospect.subject, stage.days if stage else 0


def notices(
    prospects: Iterable[ForecastItem],
    contacts: Mapping[str, str],
    told: Collection[ToldKey],
    at: datetime,
    hostname: str,
) -> list[Notice]:
    """`contacts`: the mailbox of each tenant that has one."""
    new: dict[str, list[ForecastItem]] = defaultdict(list)
    for prospect in prospects:
        if prospect.tenant in contacts and _is_to_be_told(prospect, at) and told_key(prospect, at) not in told:
            new[prospect.tenant].append(prospect)
    return [
        Notice(
            tenant=tenant,
            contact=contacts[tenant],
            keys=tuple(told_key(each, at) for each in found),
            octets=_message(tenant, contacts[tenant], found, at, hostname),
        )
        for tenant, found in new.items()
    ]


def alarm_notice(
    *,
    tenant: str,
    contact: str,
    keys: tuple[ToldKey, ...],
    title: str,
    paragraphs: Sequence[str],
    at: datetime,
    hostname: str,
) -> Notice:
    """One message about one thing that is wrong now."""
    text = "\n\n".join(_filled(each) for each in (f"This is the mail server {hostname}.", *paragraphs)) + "\n"
    octets = _composed(contact, title, text, at, hostname)
    return Notice(tenant=tenant, contact=contact, keys=keys, octets=octets)


def _is_to_be_told(prospect: ForecastItem, at: datetime) -> bool:
    return prospect.due_at is None or prospect.stage(at) is not None


def _message(tenant: str, contact: str, found: Sequence[ForecastItem], at: datetime, hostname: str) -> bytes:
    return _composed(contact, _subject(tenant or hostname, found, at), _text(tenant, found, at, hostname), at, hostname)


def _composed(contact: str, subject: str, text: str, at: datetime, hostname: str) -> bytes:
    message = EmailMessage(policy=SMTP if contact.isascii() else SMTPUTF8)
    message["From"] = f"Gatepost at {hostname} <postmaster@{hostname}>"
    message["To"] = contact
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=hostname)
    # RFC 3834 5: no responder answers this, and no vacation notice comes back.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="7bit" if text.isascii() else "8bit")
    return message.as_bytes()


def _subject(whose: str, found: Sequence[ForecastItem], at: datetime) -> str:
    nearest = min((each.due_at for each in found if each.due_at), default=None)
    if nearest is None:
        return f"{whose}: mail through the relay is at risk"
    days = max(0, (nearest - at).days)
    when = "is about to stop" if days == 0 else f"will stop in {days} day{'s' if days > 1 else ''}"
    return f"{whose}: mail through the relay {when}"


def _text(tenant: str, found: Sequence[ForecastItem], at: datetime, hostname: str) -> str:
    foresees = f" foresees for {tenant}, by what it saw of your servers until {at:%Y-%m-%d}:"
    paragraphs = [_filled(f"The relay {hostname}{foresees if tenant else ' foresees for itself:'}")]
    for each in found:
        due = f"{each.due_at:%Y-%m-%d %H:%M} UTC" if each.due_at else "no date"
        paragraphs.append(
            "\n".join(
                (
                    f"* {due}: {each.code}, {_kind(each)} {each.about}",
                    _filled(each.says, 2),
                    _filled(f"To do: {each.do}", 2),
                )
            )
        )
    paragraphs.append(
        _filled("Each of these is told again when 14 days, 7 days and 1 day are left, and no more often.")
    )
    return "\n\n".join(paragraphs) + "\n"


def _kind(prospect: ForecastItem) -> str:
    if prospect.connector:
        return "connector"
    if prospect.code is ForecastCode.TOKEN_EXPIRES:
        return "token"
    return "certificate" if prospect.code is ForecastCode.OWN_CERTIFICATE_EXPIRES else "domain"


def _filled(text: str, indent: int = 0) -> str:
    margin = " " * indent
    return fill(
        text, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
