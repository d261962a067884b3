"""What the tables of a page are of: exported objects, queues, a message trace, an event list.

What flows: grids in, facts out. A table is recognised by the names of its columns, in whatever language `labels` knows;
each kind has one entry in `_KINDS_OF_TABLE`. Law: a row gives what its cells say, and belongs to the server that a
column, the command above it or a heading names.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from gatepost.doctor.evidence import CertificateSeen, EventLogEntry, HeaderSeen, SettingSeen, TraceEvent
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.exported import exported
from gatepost.doctor.readers.grids import Grid, Row, grids
from gatepost.doctor.readers.labels import english
from gatepost.doctor.readers.replies import replies_in
from gatepost.exchange.cmdlet_output import CMDLET, CMDLETS, SERVER_BESIDE, SIGNS, kind_of, property_of
from gatepost.exchange.distinguished_names import distinguished_name
from gatepost.exchange.source import Fact

_MOST_COLUMNS: Final = 200


class _Table(NamedTuple):
    """A grid with what stands around it."""

    page: Page
    grid: Grid
    names: tuple[str, ...]
    """In the cmdlet's spelling."""
    cmdlet: str
    server: str

    def quote(self, row: Row) -> str:
        return self.page.lines[row.first].strip()[:500]

    def values(self, row: Row) -> dict[str, str]:
        """The cells by the lower-case names of their columns."""
        return {name.casefold(): cell.strip() for name, cell in zip(self.names, row.cells, strict=False)}


def read(page: Page) -> Iterator[Fact]:
    for grid in grids(page, _is_known):
        names = tuple(map(english, grid.names))
        kind = next((each for each in _KINDS_OF_TABLE if each.has(names, True)), None)
        if kind is None:
            continue
        table = _Table(page, grid, names, *_around(page, grid.head[0]))
        page.take(*grid.head)
        for row in grid.rows:
            page.take(row.first, row.last)
            yield from kind.read(table, row)


def _is_known(written: Sequence[str], drawn: bool) -> bool:
    if len(written) > _MOST_COLUMNS or any(len(each) > 60 for each in written):
        return False
    names = tuple(map(english, written))
    return any(each.has(names, drawn) for each in _KINDS_OF_TABLE)


# fmt: off
_HEADING: Final = re.compile(
    r"^\W{0,6}(?:(?i:(?:on |auf |at |na |en |sur |su |op )?(?:the )?(?:server|serveru|serveur|servidor|host|node)|on|auf|sur|op) "
    r"(?P<said>[A-Za-z][\w.-]{1,60}?)|(?P<with_digit>(?=[A-Za-z.-]{0,30}\d)[A-Z][A-Za-z0-9-]{1,14}(?:\.[\w.-]{1,60})?)|(?P<plain>[A-Z]{2,15})(?=:))\s*:?\W{0,6}$"
)
"""A line that names a server: by the word for one, by a digit in it, or in capitals before a colon."""
_NO_SERVERS: Final = frozenset(
    (*["OK", "TLS", "SMTP", "BEFORE", "AFTER", "OLD", "NEW", "NOTE", "NOTES", "FYI", "EDIT", "UPDATE", "SEND", "RECEIVE", "CSV", "JSON"],
     *["EXCHANGE", "ONLINE", "PS", "NDR", "DNS", "MX", "VORHER", "NACHHER", "ALT", "NEU"])
)
# fmt: on
_LINES_ABOVE: Final = 60


def _around(page: Page, head: int) -> tuple[str, str]:
    """The cmdlet that printed a table, and the server it was asked of or that a heading names."""
    cmdlet = server = ""
    for index in range(head, max(-1, head - _LINES_ABOVE), -1):
        line = page.lines[index][:600]
        if not server and head - index <= 3 and (heading := _HEADING.match(line)):
            named = heading["said"] or heading["with_digit"] or heading["plain"]
            server = "" if named in _NO_SERVERS else named
        if beside := SERVER_BESIDE.search(line):
            server = server or next((each for each in beside.groups() if each), "")
        if command := CMDLET.search(line):
            cmdlet = command[1]
            break
    return cmdlet, server


# --- exported objects -----------------------------------------------------------------------------------------------

_BESIDE: Final = frozenset(
    ("default", "issuer", "subject", "server", "status", "friendlyname", "maxmessagesize", "pscomputername", "domain")
)
"""Names that tell of no kind of object by themselves and stand in the tables of several."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_ ()]*")
_TELLING: Final = SIGNS - {"name", "identity", "enabled", "comment", "guid", "isvalid", "services", "whenchangedutc"}


def _has_objects(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    if not keys & _TELLING or not all(map(_NAME.fullmatch, names)):
        return False
    if drawn:
        return bool(kind_of(names))
    return keys <= SIGNS | _BESIDE and bool(kind_of(names))


def _object(table: _Table, row: Row) -> Iterator[Fact]:
    source, quote = table.page.source(row.first), table.quote(row)
    properties = tuple(
        property_of(
            name, cell, source, "" if table.grid.exact else quote, exact=table.grid.exact and bool(cell.strip())
        )
        for name, cell in zip(table.names, row.cells, strict=False)
    )
    hint = table.cmdlet if table.cmdlet.casefold() in CMDLETS else ""
    if found := exported(properties, source, hint=hint, server=_server(table, row), quote=quote):
        yield found


def _server(table: _Table, row: Row) -> str:
    values = table.values(row)
    return next((values[each] for each in ("server", "pscomputername") if values.get(each)), table.server)


# --- queues, traces, events -----------------------------------------------------------------------------------------


def _has_queues(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    return "lasterror" in keys and bool(keys & {"identity", "nexthopdomain", "status", "messagecount", "deliverytype"})


def _queue(table: _Table, row: Row) -> Iterator[Fact]:
    from gatepost.doctor.readers.exchange import queue_errors

    values = table.values(row)
    if values.get("lasterror", "").strip("{} "):
        yield from queue_errors(values, table.page.source(row.first), table.quote(row))


_TRACED: Final = frozenset(
    ("sender", "recipient", "messageid", "message id", "received", "subject", "fromip", "toip", "action")
)


def _has_trace(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    return (
        drawn and bool(keys & {"detail", "status", "event"}) and len(keys & _TRACED) >= 2 and "thumbprint" not in keys
    )


def _traced(table: _Table, row: Row) -> Iterator[Fact]:
    values = table.values(row)
    source, quote = table.page.source(row.first), table.quote(row)
    detail = " ".join(values.get("detail", "").split())
    at = moment(values.get("received", ""))
    yield TraceEvent(
        source=source,
        quote=quote,
        event=values.get("event", "") or values.get("status", ""),
        detail=detail[:2000],
        sender=values.get("sender", ""),
        recipient=values.get("recipient", ""),
        message_id=values.get("messageid", "") or values.get("message id", ""),
        from_address=values.get("fromip", ""),
        to_address=values.get("toip", ""),
        at=at,
    )
    if "{LED=" in detail:
        from gatepost.doctor.readers.exchange import errors_of_trace

        yield from errors_of_trace(detail, source)
    else:
        yield from replies_in(detail, source, kind="message-trace", forward_path=values.get("recipient", ""), at=at)


def _has_events(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    return (
        bool(keys & {"eventid", "id"})
        and len(keys & {"timecreated", "providername", "leveldisplayname", "message"}) >= 2
    )


def _event(table: _Table, row: Row) -> Iterator[Fact]:
    values = table.values(row)
    number = values.get("eventid") or values.get("id", "")
    if not number.isdecimal() or len(number) > 6:
        return
    source = table.page.source(row.first)
    message = values.get("message", "") or " ".join(row.cells[len(table.names) :]) or row.cells[-1]
    yield EventLogEntry(
        source=source,
        quote=" ".join(table.page.lines[row.first].split())[:600],
        event_id=int(number),
        provider=values.get("providername", ""),
        level=values.get("leveldisplayname", ""),
        message=" ".join(message.split())[:3000],
        server=values.get("server", "") or table.server,
        at=moment(values.get("timecreated", "")),
    )
    yield from replies_in(message, source, kind="event")


def _has_hops(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    return {"hop", "from", "to"} <= keys


def _hop(table: _Table, row: Row) -> Iterator[Fact]:
    """A row of a bounce's table of hops, as the Received field it stands for."""
    values = table.values(row)
    if not values["hop"].isdecimal():
        return
    value = f"from {values['from']} by {values['to']} with {values.get('with', '')}; {values.get('time (utc)', '')}"
    yield HeaderSeen(
        source=table.page.source(row.first), quote=table.quote(row), name="Received", value=value.strip("; ")
    )


def _has_appliance_certificates(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    return drawn and {"common name", "issued by"} <= keys


def _appliance_certificate(table: _Table, row: Row) -> Iterator[Fact]:
    """A gateway's own list (certconfig): the one that its delivery names is presented, one that ended is the old one."""
    values = table.values(row)
    common, issuer = values["common name"], values["issued by"]
    if not common:
        return
    ended = values.get("status", "").casefold() in ("expired", "invalid")
    used = any(f"ertificate: {values.get('name', '')}" in line for line in table.page.lines)
    yield CertificateSeen(
        source=table.page.source(row.first),
        quote=table.quote(row),
        role="sent" if used and values.get("name") else "old" if ended else "unknown",
        subject=distinguished_name(f"CN={common}"),
        issuer=distinguished_name(f"CN={issuer}") if issuer and issuer != common[: len(issuer)] else None,
        self_signed=bool(issuer) and issuer == common[: len(issuer)],
        status=values.get("status", ""),
    )


_LOGIN_SWITCH: Final = "smtpclientauthenticationdisabled"


def _has_logins(names: Sequence[str], drawn: bool) -> bool:
    keys = {each.casefold() for each in names}
    return _LOGIN_SWITCH in keys and bool(keys & {"identity", "name", "displayname"})


def _login(table: _Table, row: Row) -> Iterator[Fact]:
    """Get-CASMailbox: whether a mailbox may log in to send."""
    values = table.values(row)
    yield SettingSeen(
        source=table.page.source(row.first),
        quote=table.quote(row),
        software="exchange-online",
        name="SmtpClientAuthenticationDisabled",
        value=values[_LOGIN_SWITCH],
        section=values.get("identity", "") or values.get("name", ""),
    )


class _Kind(NamedTuple):
    has: Callable[[Sequence[str], bool], bool]
    read: Callable[[_Table, Row], Iterator[Fact]]


_KINDS_OF_TABLE: Final = (
    _Kind(_has_queues, _queue),
    _Kind(_has_logins, _login),
    _Kind(_has_appliance_certificates, _appliance_certificate),
    _Kind(_has_events, _event),
    _Kind(_has_hops, _hop),
    _Kind(_has_trace, _traced),
    _Kind(_has_objects, _object),
)
