"""Exchange's other evidence: queues, HealthChecker, the Hybrid Configuration Wizard, errors of cmdlets."""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import csv
import re
from collections.abc import Iterator, Mapping

from gatepost.doctor.evidence import (
    CommandSeen,
    HcwComparison,
    HealthCheckerFinding,
    PowershellError,
    QueueError,
    SmtpSession,
    TlsSeen,
    WizardLine,
    one_line,
)
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page, Paragraph
from gatepost.doctor.readers.replies import replies_in
from gatepost.exchange.source import Fact, Source

# --- queues ------------------------------------------------------------------------------------------------------

_LED = re.compile(
    r"\{LED=(?P<led>[^{]*?)\}\s{0,40};\s{0,40}\{MSG=(?P<msg>[^{]*?)\}(?P<rest>(?:\s*;\s*\{\w+=[^{}]*\})*)", re.DOTALL
)
_LED_OPEN = re.compile(r"\{LED=(?P<led>.*?)(?:\}\s*(?:;|\]|$)|$)", re.DOTALL)
_PAIR = re.compile(r"\{(\w+)=([^}]{0,2000})\}")
_DETAIL = re.compile(r"\[(Message|LastAttemptedServerName|LastAttemptedIP|SmtpSecurity|[A-Z][A-Za-z]+)=([^\[\]]*)\]")
_LAST_ERROR = re.compile(
    r"\b(?:LastError|Last Error|Letzter Fehler|Dernière erreur)\s*[:=]\s*(?P<value>.{1,2000})$", re.IGNORECASE
)
_QUEUE_PROPERTY = re.compile(
    r"\b(Identity|NextHopDomain|NextHopConnector|DeliveryType|Status|MessageCount|LastError|LastRetryTime)\s*:\s*"
)
_QUEUE_LINE = re.compile(
    r"^\s*(?P<queue>[\w.-]+\\(?:\d+|Submission|Unreachable|Poison)|\\\w+)\s+(?P<delivery>\w+)\s+"
    r"(?P<status>Ready|Retry|Active|Suspended|Connecting)\s+(?P<count>\d+)"
)
_PRIMARY = re.compile(
    r"4\d\d 4\.\d\.\d+ Primary target IP address responded with:?\s*\"(?P<inner>.{0,2000}?)\"(?:\s*Attempted failover|\.|$)",
    re.S,
)


def read_queues(page: Page) -> Iterator[Fact]:
    for paragraph in page.paragraphs():
        text = paragraph.text
        found = False
        for match in [*_LED.finditer(text)] or [*_LED_OPEN.finditer(text)]:
            found = True
            source = page.source(paragraph.index_at(match.start()))
            rest = dict(_PAIR.findall(match.groupdict().get("rest") or ""))
            yield from _queue_error(paragraph, source, match["led"], match.groupdict().get("msg") or "", rest)
        told = _LAST_ERROR.search(text)
        if not found and told and re.search(r"\d{3}[ .]|\d\.\d\.\d", told["value"]):
            found = True
            source = page.source(paragraph.index_at(told.start()))
            value = _QUEUE_PROPERTY.split(told["value"])[0]
            yield from _queue_error(paragraph, source, value, "", {})
        elif not found and (primary := _PRIMARY.search(text)):
            found = True
            yield from _queue_error(paragraph, page.source(paragraph.index_at(primary.start())), primary[0], "", {})
        if found:
            page.take(paragraph.first, paragraph.first + len(paragraph.starts) - 1)


def queue_errors(values: Mapping[str, str], source: Source, quote: str) -> Iterator[Fact]:
    """A queue of which the properties are known by their lower-case names."""
    around = Paragraph(" ".join(f"{_SPELT[key]} : {value}" for key, value in values.items() if key in _SPELT), 0, (0,))
    led = values.get("lasterror", "")
    found = [*_LED.finditer(led)] or [*_LED_OPEN.finditer(led)]
    for match in found:
        rest = dict(_PAIR.findall(match.groupdict().get("rest") or ""))
        yield from _queue_error(around, source, match["led"], match.groupdict().get("msg") or "", rest)
    if not found:
        yield from _queue_error(around, source, led, "", {})


_SPELT = {
    each.casefold(): each
    for each in ("Identity", "MessageCount", "Status", "NextHopDomain", "NextHopConnector", "DeliveryType")
}


def errors_of_trace(detail: str, source: Source) -> Iterator[Fact]:
    """What Exchange Online's message trace quotes of its own queue."""
    around = Paragraph("", 0, (0,))
    for match in [*_LED.finditer(detail)] or [*_LED_OPEN.finditer(detail)]:
        rest = dict(_PAIR.findall(match.groupdict().get("rest") or ""))
        yield from _queue_error(around, source, match["led"], match.groupdict().get("msg") or "", rest)


def _queue_error(paragraph: Paragraph, source: Source, led: str, message: str, rest: dict[str, str]) -> Iterator[Fact]:
    led = one_line(led)
    parts = [part.strip() for part in re.split(r"\s{0,40}->\s*|-&gt;", led)]
    inner = parts[-1] if len(parts) > 1 else ""
    if primary := _PRIMARY.search(led):
        inner = primary["inner"].strip()
    around = paragraph.text
    identity = re.search(r"\bIdentity\s*:\s*(\S+)", around)
    count = re.search(r"\bMessageCount\s*:\s*(\d+)", around)
    status = re.search(r"\bStatus\s*:\s*(\w+)", around)
    next_hop = re.search(r"\bNextHopDomain\s*:\s*(\S+)", around)
    line = _QUEUE_LINE.match(around)
    connector = re.search(r"\bNextHopConnector\s*:\s*(\S.{0,120}?)(?=\s+[A-Z]\w+\s*:|$)", around)
    yield QueueError(
        source=source,
        quote=led[:500],
        last_error=led,
        outer=parts[0],
        inner=inner,
        message=message,
        fqdn=rest.get("FQDN", ""),
        address=rest.get("IP", ""),
        at=moment(rest.get("LRT", "")),
        queue=identity[1] if identity else line["queue"] if line else "",
        status=status[1] if status else line["status"] if line else "",
        message_count=int(count[1]) if count else int(line["count"]) if line else None,
        next_hop=next_hop[1] if next_hop else "",
        connector=connector[1] if connector else "",
        details=tuple(_DETAIL.findall(led)),
    )
    yield from replies_in(
        led,
        source,
        kind="queue",
        said_by=rest.get("FQDN", ""),
        said_by_address=rest.get("IP", ""),
        at=moment(rest.get("LRT", "")),
    )


# --- message tracking ------------------------------------------------------------------------------------------------

_TRACKED = {"returnpath": "path", "recipientstatus": "status", "eventid": "event", "sender": "sender"}
_TRACKED_BESIDE = {"senderaddress": "sender", "recipientaddress": "to", "recipients": "to", "timestamp": "at"}
_TRACKED_BESIDE |= {"datetime": "at", "connectorid": "connector"}


def read_tracking(page: Page) -> Iterator[Fact]:
    """`Get-MessageTrackingLog | Export-Csv` and the log itself: what became of each recipient, and its reverse-path."""
    for index, line in page.free():
        names = re.sub(r"^#Fields:\s*", "", line).replace('"', "")
        keys = [re.sub(r"[^a-z]", "", each.casefold()) for each in re.split(r"[,;\t]", names)]
        if "recipientstatus" not in keys or not {"returnpath", "sender", "senderaddress"} & set(keys):
            continue
        columns = [_TRACKED.get(each) or _TRACKED_BESIDE.get(each, "") for each in keys]
        delimiter = next(each for each in ",;\t" if each in line)
        page.take(index)
        for row, cells in _records(page, index + 1, delimiter):
            if len(cells) < len(columns) // 2:
                break
            page.take(row)
            values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
            if fact := _tracked(page.source(row), values, page.lines[row]):
                yield fact
        return


def _records(page: Page, first: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for row in range(first, len(page.lines)):
        if page.lines[row].strip() and not page.lines[row].startswith("#"):
            yield row, next(csv.reader([page.lines[row].replace("\r", " ")], delimiter=delimiter), [])


def _tracked(source: Source, values: dict[str, str], line: str) -> Fact | None:
    """A record that shows mail leaving or being refused, as the session it stands for."""
    event = values.get("event", "").upper()
    refusals = replies_in(
        values.get("status", ""),
        source,
        kind="message-tracking",
        reverse_path=_path(values),
        forward_path=values.get("to", ""),
        connector=values.get("connector", ""),
        at=moment(values.get("at", "")),
    )
    if event not in ("SEND", "FAIL", "DEFER", "BADMAIL", "SENDEXTERNAL") or (event != "SEND" and not refusals):
        return None
    return SmtpSession(
        source=source,
        quote=line.strip()[:400],
        connector=values.get("connector", ""),
        reverse_path=_path(values),
        forward_paths=tuple(each for each in (values.get("to", ""),) if each),
        replies=tuple(refusals),
        at=moment(values.get("at", "")),
        accepted=not refusals,
    )


def _path(values: dict[str, str]) -> str:
    """The reverse-path: `<>` is the null one, and where the column is missing the sender stands for it."""
    return (values["path"] if values.get("path") else values.get("sender", "")).strip("<>")


# --- HealthChecker -----------------------------------------------------------------------------------------------

_HEALTH_LABELS = (
    "Connector Name|Connector Enabled|Cloud Mail Enabled|Connector Type|TlsAuthLevel|TlsDomain|TlsCertificateName|TlsCertificateName Status"
    "|Certificate Found On Server|Certificate Matches Hybrid Certificate|Certificate Thumbprint\\(s\\)|Certificate Thumbprint|Lifetime In Days"
    "|Lifetime in days|Certificate status|Certificate Status|Smart Hosts|Fqdn|Require TLS|Certificate has expired|FriendlyName|Thumbprint"
    "|Current Auth Certificate|Bound to services|Internal Transport Certificate|SMTP Certificate|Subject|Issuer|Key size|Signature Algorithm"
    "|Organization Hybrid Enabled|(?:Edge|Receiving|Sending|Mailbox) Transport Server\\(s\\)|TLS Certificate Name|TLS Certificate found"
    "|On-Premises Smart Host Domain|TlsCertificateSet|CertificateLifetimeInDays|Exchange Version|Version|Build Number|Namespaces|Is SAN Certificate|TLS \\d\\.\\d|SystemDefaultTlsVersions"
)
_HEALTH = re.compile(rf"^\s*(?P<label>{_HEALTH_LABELS})\s*[:=]\s{{0,40}}(?P<value>.*)$", re.IGNORECASE)
_HEALTH_SIGN = re.compile(
    r"HealthChecker|Exchange Health Checker|Certificate Matches Hybrid Certificate|Lifetime In Days|Cloud Mail Enabled|"
    r"Exchange Hybrid Information|Organization Hybrid Enabled|Certificate Found On Server|TlsCertificateName(?:NotFound|Empty|Match|SyntaxInvalid)"
)


def is_health_report(page: Page) -> bool:
    return any(_HEALTH_SIGN.search(line) for line in page.lines)


def read_health(page: Page) -> Iterator[Fact]:
    if not is_health_report(page):
        return
    section = server = ""
    for index, line in page.free():
        if found := re.match(r"\s*(?:Server Name|Name|Server)\s*[:=]\s*([\w.-]+)", line):
            server = found[1]
        match = _HEALTH.match(line)
        if match is None:
            if found := re.search(r"\b(TlsCertificateName(?:NotFound|Empty|Match|SyntaxInvalid))\b", line):
                page.take(index)
                yield HealthCheckerFinding(
                    source=page.source(index),
                    quote=line.strip(),
                    label="TlsCertificateName Status",
                    value=found[1],
                    section=section,
                    server=server,
                )
            continue
        if match["label"].casefold() in ("connector name", "thumbprint", "friendlyname"):
            section = match["value"].strip()
        page.take(index)
        yield HealthCheckerFinding(
            source=page.source(index),
            quote=line.strip(),
            label=match["label"],
            value=match["value"].strip(),
            section=section,
            server=server,
        )


# --- Hybrid Configuration Wizard ---------------------------------------------------------------------------------

_HCW_HEAD = re.compile(r"\bactual\b", re.IGNORECASE)
_BORDER = re.compile(r"[ \t]{0,40}\|[ \t]*|\t+| {2,}")
_PROPERTY_NAME = re.compile(r"[A-Z][A-Za-z]{3,40}")
_TIGHT = re.compile(r"([A-Z][A-Za-z]{12,40}) (\S+)")
_IDENTITY = re.compile(
    r"\b(?:Set|New|Get)-\w*Connector\b.{0,2000}?-Identity\s+(?:'(?P<one>[^']+)'|\"(?P<two>[^\"]+)\"|(?P<bare>.+?)(?:\s-[A-Z]|$))"
)
_LONGEST_ROW = 1000


def _compared(line: str) -> tuple[str, str, str, bool] | None:
    """Name, the two values in their order, and whether they are equal: a table's row in any of its layouts."""
    if len(line) > _LONGEST_ROW:
        return None
    row = line.strip().strip("|").strip()
    cells = row.split(";") if row.count(";") >= 3 and "|" not in row else _BORDER.split(row)
    cells = [each.strip() for each in cells]
    if tight := _TIGHT.fullmatch(cells[0]):  # a name as long as its column
        cells[:1] = tight.groups()
    for at in (0, 1):
        if len(cells) < at + 3 or not _PROPERTY_NAME.fullmatch(cells[at]) or _truth(cells[at]) is not None:
            continue
        name, rest = cells[at], cells[at + 1 :]
        if at == 1 and (equal := _truth(cells[0])) is not None:
            return name, rest[0], rest[1] if len(rest) > 1 else "", equal
        if (equal := _truth(rest[0])) is not None and (len(rest) == 3 or _truth(rest[-1]) is None):
            return name, rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else "", equal
        if (equal := _truth(rest[-1])) is not None and len(rest) >= 2:
            return name, rest[0], rest[1] if len(rest) > 2 else "", equal
    return None


def _truth(cell: str) -> bool | None:
    return {"true": True, "false": False}.get(cell.casefold())


def read_hcw(page: Page) -> Iterator[Fact]:
    inside, actual_first, name = 0, True, ""
    at = None
    for index, line in page.free():
        if re.search(r"\b(?:equals?|equal)\b", line, re.IGNORECASE) and _HCW_HEAD.search(line):
            inside = 60
            low = line.casefold()
            expected_at = next((low.find(word) for word in ("expected", "desired", "new") if word in low), -1)
            actual_first = expected_at < 0 or low.find("actual") < expected_at
            page.take(index)
            continue
        if found := _IDENTITY.search(line):
            name = (found["one"] or found["two"] or found["bare"]).strip()
        if not inside:
            continue
        inside -= 1
        row = _compared(line)
        if row is None:
            continue
        page.take(index)
        property_name, one, other, equal = row
        actual, expected = (one, other) if actual_first else (other, one)
        yield HcwComparison(
            source=page.source(index),
            quote=line.strip(),
            object_name=name or _named_below(page, index, property_name),
            property_name=property_name,
            expected=expected,
            actual=actual,
            equals=equal,
            at=at,
        )


_OF_THE_WIZARD = re.compile(
    r"^(?P<day>\d{4}\.\d\d\.\d\d) (?P<time>\d\d:\d\d:\d\d\.\d{3})\s{1,9}(?:(?P<level>WARNING|ERROR|\*ERROR\*)\s{1,9})?\d{1,7}\s\[(?P<context>[^\[\]]{3,200})\]\s(?P<text>.{1,2000})$"
)


def read_wizard(page: Page) -> Iterator[Fact]:
    """What the wizard's log says in sentences. Lines stay free: a cmdlet or its error may stand in them."""
    for index, line in page.free():
        if match := _OF_THE_WIZARD.match(line):
            yield WizardLine(
                source=page.source(index),
                quote=line.strip()[:500],
                text=match["text"].strip(),
                level=(match["level"] or "").strip("*"),
                context=match["context"],
                at=moment(f"{match['day'].replace('.', '-')} {match['time']}"),
            )


def _named_below(page: Page, index: int, property_name: str) -> str:
    """The object a table is of, by the command the wizard runs after it for that property."""
    for line in page.lines[index + 1 : index + 60]:
        if property_name in line and (found := _IDENTITY.search(line)):
            return (found["one"] or found["two"] or found["bare"]).strip()
    return ""


# --- cmdlets' errors, commands -----------------------------------------------------------------------------------

_ERROR = re.compile(
    r"\+ CategoryInfo|\+ FullyQualifiedErrorId|A special Rpc error occurs|cannot be removed because|\bError while\b|"
    r"^(?:Set|New|Get|Enable|Remove|Validate|Test)-\w+ ?: |couldn't be found on|Cannot process argument|is an invalid value|"
    r"Secure Mail Certificate|tagged with following Send Connectors|Invalid Smtp|You can't|isn't supported|can't be (?:set|created|used)|"
    r"\|Microsoft\.Exchange\.[\w.]+Exception\||ExDirectoryException",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"(?P<command>\b(?:Set|New|Get|Enable|Disable|Remove|Import|Export|Restart|Start|Validate|Test|Resume|Retry|Update)-"
    r"(?:InboundConnector|OutboundConnector|SendConnector|ReceiveConnector|AcceptedDomain|ExchangeCertificate|Service|Queue|Message|"
    r"EdgeSynchronization|HybridConfiguration|TransportService|TransportConfig|OrganizationConfig|TenantExemptionInfo|PfxCertificate|Certificate|"
    r"NetConnection|SmartHost|Mailbox|MessageTrace|OnPremServerReportInfo|HybridMailflow)\b[^\n]*)"
)
_NOTHING = re.compile(
    r"returns? (?:nothing|no|an empty)|\W?no output|is empty|\(empty\)|\(none\)|nothing (?:is )?(?:returned|listed|there)|"
    r"shows? nothing|lists? nothing|keine (?:ausgabe|einträge)|liefert nichts|leer|comes back empty|no (?:inbound )?connectors?\b",
    re.IGNORECASE,
)


_COUNTED = re.compile(r"\|\s*measure(?:-object)?\b|\)\.Count\b", re.IGNORECASE)
_ALERTED = re.compile(
    r"alert (?P<words>[a-z][a-z ]{3,40}?)\s*(?:[:.,(]|$).{0,160}?\balert number (?P<number>\d{1,3})", re.IGNORECASE
)
_TLS_FAILED = re.compile(r"TLS negotiation failed with (?:the )?(?:error|status) '?(?P<error>\w+)", re.IGNORECASE)


def read_tls_failures(page: Page) -> Iterator[Fact]:
    """A log's line about the handshake, quoted without the rest of its row."""
    for index, line in page.free():
        if match := _TLS_FAILED.search(line):
            yield TlsSeen(
                source=page.source(index),
                quote=line.strip()[:400],
                established=False,
                failure=match["error"],
                log_owner_is="client",
                kind="pasted",
            )
        elif alerted := _ALERTED.search(line):
            yield TlsSeen(
                source=page.source(index),
                quote=line.strip()[:400],
                established=False,
                failure=alerted["words"].strip(),
                alert=int(alerted["number"]),
                log_owner_is="client",
                kind="pasted",
            )


def read_errors_and_commands(page: Page) -> Iterator[Fact]:
    lines = page.lines
    for index, line in page.free():
        if _ERROR.search(line):
            first = index
            while first > 0 and index - first < 3 and lines[first - 1].strip() and not lines[first - 1].startswith("["):
                first -= 1
            text = one_line(lines[first : index + 3])
            cmdlet = re.search(r"\b([A-Z][a-z]+-[A-Z]\w+)", text)
            yield PowershellError(
                source=page.source(index),
                quote=line.strip()[:500],
                cmdlet=cmdlet[1] if cmdlet else "",
                message=text[:1500],
            )
        if command := _COMMAND.search(line):
            when = ANY_MOMENT.search(line)
            yield CommandSeen(
                source=page.source(index),
                quote=line.strip()[:500],
                command=command["command"].strip(),
                at=moment(when[0]) if when else None,
            )


def read_empty_outputs(page: Page) -> Iterator[Fact]:
    """`Get-...` whose output was shown, and there was none."""
    lines = page.lines
    for index, line in enumerate(lines):
        command = _COMMAND.search(line) if "Get-" in line else None
        if command is None or not command["command"].startswith("Get-"):
            continue
        following = next((each for each in lines[index + 1 : index + 5] if each.strip()), "")
        prompted = bool(re.match(r"\s{0,40}(?:\[PS\]|PS\b.*>|.*[$#>]\s*Get-)", line))
        said = bool(_NOTHING.search(line)) or bool(_NOTHING.match(following.strip()))
        said = said or bool(_COUNTED.search(line) and re.match(r"\s*(?:Count\s*:\s*)?0\s*$", following))
        ended = prompted and (not following or bool(re.match(r"\s*(?:\[PS\]|PS [A-Z]:\\|PS>)", following)))
        if said or ended:
            yield CommandSeen(source=page.source(index), quote=line.strip()[:300], command=command["command"].strip())
