"""Files in, evidence out: what a file is, is told by its content.

A file is decoded in whatever encoding it has, unpacked where it is a message, and cut into pages; the specific readers
come first and take their lines, the general ones read the rest. Nothing that a file holds raises.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from gatepost.doctor.evidence import (
    CertbotRun,
    CertificateSeen,
    ClockSeen,
    CommandSeen,
    DnsAnswer,
    EventLogEntry,
    EvidenceBundle,
    EximLine,
    GatepostVerdict,
    HcwComparison,
    HeaderSeen,
    HealthCheckerFinding,
    KeyStoreEntry,
    NameSeen,
    OpensslVerify,
    OwnAddress,
    PacketSeen,
    PostfixDelivery,
    PostfixSetting,
    PostfixTlsLine,
    PowershellError,
    ProgramError,
    ProseFact,
    QueueError,
    ReadItem,
    RelayPolicyReject,
    ReplySeen,
    SettingSeen,
    ShellCommand,
    SignSeen,
    SmtpPopulation,
    SmtpSession,
    SubmissionSettings,
    TlsSeen,
    TraceEvent,
    Unread,
    WizardLine,
)
from gatepost.doctor.page import Page
from gatepost.doctor.readers import archives
from gatepost.doctor.readers.encodings import decode
from gatepost.doctor.readers.remainder import remainder, shown
from gatepost.doctor.readers.wrappings import unwrapped
from gatepost.errors import GatepostError
from gatepost.exchange.objects import (
    AcceptedDomain,
    InboundConnector,
    OutboundConnector,
    ReceiveConnector,
    SendConnector,
    TransportService,
)
from gatepost.exchange.source import Fact, Source

Reader = Callable[[Page], Iterable[Fact | Unread]]
Tell = Callable[[int, int], None]
Progress = Callable[[str, int, int, int], None]
"""Called with the file's name, octets read so far of all, octets in all, and lines of large files read so far."""

PasswordOf = Callable[[str], str | None]
"""Called with a file's name where its key store has a password; None: it is not to be had."""

_FIELDS: Final[dict[type, str]] = {
    ReplySeen: "replies",
    CertificateSeen: "certificates",
    TlsSeen: "tls",
    SmtpSession: "sessions",
    SmtpPopulation: "populations",
    InboundConnector: "inbound_connectors",
    OutboundConnector: "outbound_connectors",
    SendConnector: "send_connectors",
    ReceiveConnector: "receive_connectors",
    AcceptedDomain: "accepted_domains",
    TransportService: "transport_services",
    QueueError: "queue_errors",
    TraceEvent: "traced",
    EventLogEntry: "events",
    HealthCheckerFinding: "health",
    HcwComparison: "hcw",
    PowershellError: "powershell_errors",
    WizardLine: "wizard",
    CommandSeen: "commands",
    PostfixDelivery: "postfix_deliveries",
    PostfixSetting: "postfix_settings",
    PostfixTlsLine: "postfix_tls",
    RelayPolicyReject: "relay_rejects",
    EximLine: "exim",
    DnsAnswer: "dns",
    OpensslVerify: "verifications",
    KeyStoreEntry: "key_stores",
    CertbotRun: "certbot",
    GatepostVerdict: "verdicts",
    HeaderSeen: "headers",
    ClockSeen: "clocks",
    OwnAddress: "own_addresses",
    SettingSeen: "settings",
    PacketSeen: "packets",
    ProgramError: "program_errors",
    ShellCommand: "shell",
    SubmissionSettings: "submissions",
    SignSeen: "signs",
    ProseFact: "prose",
    NameSeen: "names",
}
_KINDS: Final[dict[type, str]] = {
    TraceEvent: "message-trace",
    HeaderSeen: "message-headers",
    QueueError: "queue",
    EventLogEntry: "event-log",
    InboundConnector: "inbound-connector",
    OutboundConnector: "outbound-connector",
    SendConnector: "send-connector",
    ReceiveConnector: "receive-connector",
    AcceptedDomain: "accepted-domain",
    TransportService: "transport-service",
}


_REASON = re.compile(r"Relay Access Denied; (?P<code>[a-z]+(?:-[a-z]+)+)\b(?P<says>[^\[]*)")


class Collection:
    """Facts as they come, to be one bundle."""

    def __init__(self, password_of: PasswordOf | None = None) -> None:
        self.password_of = password_of
        self._facts: dict[str, list[Any]] = {each.name: [] for each in fields(EvidenceBundle)}
        self._read: Counter[tuple[str, str]] = Counter()
        self._files_read: set[str] = set()
        self.room = archives.LARGEST_IN_ALL
        """Octets that may still come out of archives."""
        self.lines = 0
        """Lines of the large files, which are not kept."""

    def add(self, fact: Fact | Unread, kind: str) -> None:
        if isinstance(fact, Unread):
            self._facts["unread"].append(fact)
            return
        if isinstance(fact, CommandSeen) and kind == "empty-output":
            self._facts["cmdlets_empty"].append(fact)
        elif isinstance(fact, PostfixSetting) and fact.assumed:
            self._facts["postfix_defaults"].append(fact)
        else:
            self._facts[_FIELDS[type(fact)]].append(fact)
        if isinstance(fact, ReplySeen):
            self._add_reason(fact)
            if kind == "text" and fact.kind == "ndr":
                kind = "ndr"  # the text of a bounce, pasted
        if isinstance(fact, SmtpSession):
            for reply in fact.replies:
                self._add_reason(reply)
            self._facts["replies"] += [each for each in fact.replies if each.code >= 400]
            self._facts["certificates"] += fact.certificates
            if fact.tls:
                self._facts["tls"].append(fact.tls)
            if fact.log == "receive" and kind == "exchange-send-log":
                kind = "exchange-receive-log"
        if not isinstance(fact, NameSeen):
            self._read[fact.source.file, _KINDS.get(type(fact), kind)] += 1
            self._files_read.add(fact.source.file)

    def _add_reason(self, reply: ReplySeen) -> None:
        """A refusal of Gatepost's tells its reason in a code."""
        if match := _REASON.search(reply.text):
            reasons = ((match["code"], "", match["says"].strip()),)
            self._facts["verdicts"].append(
                GatepostVerdict(
                    source=reply.source,
                    quote=reply.quote,
                    outcome="refused",
                    reply=reply.quote,
                    reasons=reasons,
                    session_id=reply.trailer_id,
                )
            )

    def unread(self, file: str, because: str, line: int = 1) -> None:
        self._facts["unread"].append(Unread(source=Source(file, line), because=because))

    def has_read(self, file: str) -> bool:
        return file in self._files_read

    def bundle(self) -> EvidenceBundle:
        from gatepost.doctor.readers.smtp_log import joined_sessions

        self._facts["sessions"] = joined_sessions(self._facts["sessions"])
        read = tuple(ReadItem(source=file, kind=kind, items=items) for (file, kind), items in self._read.items())
        return EvidenceBundle(
            **{name: tuple(facts) for name, facts in self._facts.items() if name != "read"}, read=read
        )


@cache
def _readers() -> tuple[tuple[str, Reader], ...]:
    """The order counts: a reader sees what those before it did not take."""
    return (*_of_logs(), *_of_exports(), *_of_all_else())


def _of_logs() -> tuple[tuple[str, Reader], ...]:
    """Documents, logs and messages: what they take is nothing else."""
    from gatepost.doctor.readers import (
        certificates,
        documents,
        exchange,
        messages,
        other_servers,
        postfix,
        signs,
        smtp_log,
        unix_mail_logs,
    )

    return (
        ("sign", signs.read),
        ("clixml", documents.read_clixml),
        ("json", documents.read_json),
        ("certificate", certificates.read_pem),
        ("exchange-send-log", smtp_log.read),
        ("postfix-log", postfix.read_log),
        ("exim-log", other_servers.read_exim),
        ("opensmtpd-log", unix_mail_logs.read_opensmtpd),
        ("sendmail-log", unix_mail_logs.read_sendmail),
        ("qmail-log", unix_mail_logs.read_qmail),
        ("json-log", unix_mail_logs.read_json_lines),
        ("iis-smtp-log", other_servers.read_iis),
        ("message-tracking", exchange.read_tracking),
        ("ndr", messages.read_delivery_status),
        ("message-headers", messages.read_headers),
    )


def _of_exports() -> tuple[tuple[str, Reader], ...]:
    """Exported objects and certificates."""
    from gatepost.doctor.readers import (
        certificates,
        lists,
        rows,
        tables,
        tls_tools,
    )

    return (
        ("exchange-certificate", lists.read),
        ("exchange-certificate", tables.read),
        ("exchange-certificate", rows.read),
        ("key-store", tls_tools.read_key_stores),
        ("openssl", tls_tools.read_sessions),
        ("certificate", tls_tools.read_other_tools),
        ("certificate", certificates.read_windows_chain),
        ("openssl", certificates.read_verifications),
        ("certificate", certificates.read_openssl),
    )


def _of_all_else() -> tuple[tuple[str, Reader], ...]:
    """Settings and tools, then what people pasted, and last their words."""
    from gatepost.doctor.readers import (
        exchange,
        forms,
        packets,
        postfix,
        program_errors,
        prose,
        quoted_exports,
        replies,
        settings,
        shell,
        tools,
        transcripts,
        windows_events,
    )

    return (
        ("postfix-settings", postfix.read_settings),
        ("settings", settings.read),
        ("capture", packets.read),
        ("program-error", program_errors.read),
        ("hcw-log", exchange.read_hcw),
        ("hcw-log", exchange.read_wizard),
        ("exchange-certificate", quoted_exports.read_expressions),
        ("exchange-certificate", quoted_exports.read_words),
        ("renewal-log", tools.read_renewals),
        ("inbound-connector", forms.read_portal),
        ("program-settings", forms.read_submission),
        ("clock", tools.read_clock),
        ("own-address", tools.read_own_addresses),
        ("dns", tools.read_short_dns),
        ("dns", tools.read_dns),
        ("transcript", transcripts.read),
        ("transcript", transcripts.read_greetings),
        ("empty-output", exchange.read_empty_outputs),
        ("health-checker", exchange.read_health),
        ("queue", exchange.read_queues),
        ("event-log", windows_events.read),
        ("text", exchange.read_tls_failures),
        ("powershell", exchange.read_errors_and_commands),
        ("text", replies.read_code_last),
        ("text", replies.read),
        ("shell", shell.read),
        ("prose", prose.read),
    )


def read_page(page: Page, collection: Collection) -> list[Unread]:
    """Adds what the page tells; gives the places that no reader understood."""
    cited: set[int] = set()
    heard: set[int] = set()
    for kind, reader in _readers():
        for fact in reader(page):
            collection.add(fact, kind)
            if isinstance(fact, ProseFact):
                heard.add(fact.source.line)
            elif not isinstance(fact, NameSeen):
                cited.update(_lines_of(fact))
    return list(remainder(page, cited, heard))


def _lines_of(fact: Fact | Unread) -> Iterator[int]:
    yield fact.source.line
    for each in (*getattr(fact, "properties", ()), *getattr(fact, "replies", ()), *getattr(fact, "certificates", ())):
        yield each.source.line


# --- files -------------------------------------------------------------------------------------------------------

_EXPECTATION: Final = re.compile(r'(?:\s|#[^\n]*\n)*(?:expect:[ \t]*\n|\[expect\][ \t]*\n|first = "[A-N]\d\d")')
"""The head of the file beside the evidence of a case that somebody keeps: it names the cause."""
_COMPOUND_FILE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
LARGEST_WHOLE: Final = 4 * 1024 * 1024
"""Larger files are surveyed, not read line by line."""
_KEY_STORE: Final = (
    "a Java key store: hand in what keytool -list -rfc -keystore FILE prints, or make a PFX of it with keytool "
    "-importkeystore -srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12"
)
_BINARY: Final = (
    (b"%PDF", "a PDF: copy its text into a file"),
    (b"{\\rtf", "a rich text document: copy its text into a file"),
    (b"BZh", "compressed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "compressed with xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"),
    (b"7z\xbc\xaf", "a 7-zip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\xfe\xed\xfe\xed", _KEY_STORE),
    (b"\xce\xce\xce\xce", _KEY_STORE),
    (b"\x89PNG", "a picture: type or copy the text in it"),
    (b"\xff\xd8\xff", "a picture: type or copy the text in it"),
    (b"GIF8", "a picture: type or copy the text in it"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"ElfFile\x00", "a binary event log: export the entries as text or XML"),
)


_DER: Final = (b"\x30\x80", b"\x30\x81", b"\x30\x82", b"\x30\x83")
"""A sequence of some length: a certificate, a chain, a key store."""


class NothingToRead(GatepostError):
    """What was named cannot be read at all; the message is the line for the administrator."""


def files_of(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """(name to show, path) of every file; folders are gone through. Raises `NothingToRead` for what is not there."""
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file())
            if not inside:
                raise NothingToRead(f"{path}: the folder holds no file")
            found += [(str(each.relative_to(path)), each) for each in inside]
        elif path.exists():
            found.append((path.name, path))
        else:
            raise NothingToRead(f"{path}: there is no such file or folder")
    names = Counter(name for name, _ in found)
    return [(str(path) if names[name] > 1 else name, path) for name, path in found]


def read_files(
    paths: Iterable[Path], progress: Progress | None = None, password_of: PasswordOf | None = None
) -> EvidenceBundle:
    """The evidence in files and folders."""
    collection = Collection(password_of)
    files = files_of(paths)
    total = sum(_size(path) for _, path in files)
    done = 0
    for name, path in files:
        if progress:
            progress(name, done, total, collection.lines)
        _read_file(name, path, collection, _teller(progress, name, done, total, collection))
        done += _size(path)
    if progress:
        progress("", total, total, collection.lines)
    return collection.bundle()


def _teller(progress: Progress | None, name: str, before: int, total: int, collection: Collection) -> Tell | None:
    if progress is None:
        return None
    return lambda done, lines: progress(name, before + done, total, collection.lines + lines)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read_file(name: str, path: Path, collection: Collection, tell: Tell | None) -> None:
    try:
        if not path.is_file():
            collection.unread(name, "not a regular file")
            return
        if _size(path) > LARGEST_WHOLE:
            _read_large_file(name, path, collection, tell)
            return
        octets = path.read_bytes()
    except OSError as error:
        collection.unread(name, f"cannot be opened: {error.strerror or error}")
        return
    read_octets(name, octets, collection)


def _read_large_file(name: str, path: Path, collection: Collection, tell: Tell | None) -> None:
    from gatepost.doctor.readers import large_logs

    with path.open("rb") as file:
        head = file.read(20000)
        if because := next((why for sign, why in _BINARY if head.startswith(sign)), ""):
            collection.unread(name, because)
        elif archives.is_archive(head):
            file.seek(0)
            _read_archive(name, file.read(archives.LARGEST_IN_ALL), collection, 1)
        elif large_logs.is_protocol_log(head):
            survey, page = large_logs.survey(name, path, tell)
            collection.lines += survey.rows
            for population in survey.populations():
                collection.add(population, "exchange-send-log")
            read_page(page, collection)
        else:
            file.seek(0)
            read_page(large_logs.telling_lines(name, file, tell), collection)
    if not collection.has_read(name):
        collection.unread(name, "nothing in it that we know")


def read_octets(name: str, octets: bytes, collection: Collection, depth: int = 0) -> None:
    """What a file's octets tell. `depth` counts the archives and messages around it."""
    if not octets.strip(b"\x00 \r\n\t"):
        collection.unread(name, "empty")
        return
    if because := next((why for sign, why in _BINARY if octets.startswith(sign)), ""):
        collection.unread(name, because)
    elif archives.is_archive(octets):
        _read_archive(name, octets, collection, depth + 1)
    elif octets[:2] in _DER:
        _read_der(name, octets, collection)
    else:
        _read_text(
            name, _outlook_text(octets) if octets.startswith(_COMPOUND_FILE) else decode(octets), collection, depth
        )


def _read_text(name: str, text: str, collection: Collection, depth: int) -> None:
    if _is_noise(text[:4000]):
        collection.unread(name, "not text, and of no kind that we know")
        return
    if _EXPECTATION.match(text):
        collection.unread(name, "what the author of a case expects: no evidence")
        return
    before = collection.has_read(name)
    left: list[Unread] = []
    for page in pages_of(name, text):
        if isinstance(page, archives.Member):
            _read_attached(page, collection, depth)
        else:
            left += read_page(page, collection)
    if not before and not collection.has_read(name):
        begins = next((shown(line) for line in text.split("\n") if line.strip()), "")
        collection.unread(name, f"nothing in it that we know; it begins: '{begins}'")
        return
    for each in left:
        collection.add(each, "")


def _read_attached(member: archives.Member, collection: Collection, depth: int) -> None:
    if member.because or depth >= archives.DEEPEST:
        collection.unread(member.name, member.because or "an attachment within attachments: save it as a file")
    else:
        read_octets(member.name, member.octets, collection, depth + 1)


def _read_archive(name: str, octets: bytes, collection: Collection, depth: int) -> None:
    """Each member as a file of its own, `ARCHIVE/MEMBER`."""
    found = False
    for member in archives.members(octets, collection.room):
        found = True
        inside = f"{name}/{member.name}" if member.name else name
        collection.room -= len(member.octets)
        if member.because:
            collection.unread(inside, member.because)
        elif archives.is_archive(member.octets) and depth >= archives.DEEPEST:
            collection.unread(inside, "an archive within archives: unpack it and hand in what it holds")
        else:
            read_octets(inside, member.octets, collection, depth)
    if not found:
        collection.unread(name, "an empty zip archive")


def read_text(text: str, name: str = "-") -> EvidenceBundle:
    """The evidence in one text: for pasting and for tests."""
    collection = Collection()
    read_octets(name, text.encode("utf-8", "surrogatepass"), collection)
    return collection.bundle()


def _read_der(name: str, octets: bytes, collection: Collection) -> None:
    from gatepost.doctor.readers import key_stores

    found = key_stores.read(octets, name, collection.password_of)
    if isinstance(found, str):
        collection.unread(name, found)
    else:
        for each in found:
            collection.add(each, "certificate")


_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")


def _is_noise(text: str) -> bool:
    """More control characters than a damaged log has."""
    return len(_CONTROL.findall(text)) > len(text) // 12


def _outlook_text(octets: bytes) -> str:
    """The strings in an Outlook message: a compound file's text streams are UTF-16 or octets, in 64-octet sectors."""
    wide = re.findall(rb"(?:[\x09\x0a\x0d\x20-\x7e\xa0-\xff]\x00){16,}", octets)
    narrow = re.findall(rb"[\x09\x0a\x0d\x20-\x7e]{24,}", octets)
    return "\n".join([*(each.decode("utf-16-le") for each in wide), *(each.decode("latin-1") for each in narrow)])


def pages_of(name: str, text: str) -> Iterator[Page | archives.Member]:
    """The page a text is, with the quirks of pasting undone; of a message its parts and attached files."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").replace("\u200b", "")
    from gatepost.doctor.readers.html import lines_of_html, looks_like_html
    from gatepost.doctor.readers.messages import is_message, pages_of_message, unquoted

    if is_message(text):
        yield from pages_of_message(name, text)
    elif looks_like_html(text) and "<Objs " not in text[:2000]:
        yield Page(name, *lines_of_html(text))
    else:
        yield Page(name, unwrapped(unquoted(text.split("\n"))))
