"""The story, step by step. Each step does something real, shows it, and insists on the result it tells of."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from gatepost.demo.console import StoryConsole, excerpt
from gatepost.demo.hosts import CommandLine
from gatepost.demo.mailbox import Mailbox, StoredMail
from gatepost.demo.messages import Sender, ask, new_message, send
from gatepost.demo.stage import (
    ANN,
    BOB,
    CAROL,
    EDGE,
    FABRIKAM_NAME,
    NEW_ADDRESS,
    NEW_NAME,
    OLD_ADDRESS,
    OLD_NAME,
    RELAY,
    SCANNER,
    Stage,
)
from gatepost.demo.waiting import Setback, wait_for
from gatepost.mail.session_id import find_session_id

_PICTURE = (
    "  [bold]contoso.com[/]                                              [bold]outside[/]",
    "    Ann's mail ─▶ edge ── certificate mail.contoso.com ──┐",
    "    scanner ───────────── address 127.0.0.2 ─────────────┼─▶ relay ─▶ Bob",
    "  [bold]fabrikam.com[/]                                           │",
    "    Carol's mail ──────── certificate mail.fabrikam.com ─┘",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    name: str
    title: str
    ok: bool
    seconds: float
    problem: str | None = None


class Story:
    def __init__(self, stage: Stage, console: StoryConsole) -> None:
        self._stage = stage
        self._console = console
        self._refused_session = ""

    def play(self) -> Iterator[StepResult]:
        """Play step after step; the first that goes another way is the last. With a console, the relay is left running
        for whoever opens it."""
        the_end = ("stopped", "The end", self._stopped)
        if self._stage.console_address:
            the_end = ("console", "See for yourself", self._console_opened)
        steps: Sequence[tuple[str, str, Callable[[], None]]] = (
            ("set-up", "Two organisations, one relay", self._set_up),
            ("mail-flows", "Mail flows by certificate", self._mail_flows),
            ("certificate-renewed", "The certificate is renewed, and mail comes back", self._certificate_renewed),
            ("why", "The cause, seen from both sides", self._why),
            ("connector-changed", "The connector is changed, and mail flows", self._connector_changed),
            ("address-changed", "The same for a server that is known by its address", self._address_changed),
            the_end,
        )
        self._introduce()
        for number, (name, title, act) in enumerate(steps, 1):
            self._console.heading(f"{number} of {len(steps)}  {title}")
            began = time.monotonic()
            problem = self._problem_in(act)
            yield StepResult(
                name=name, title=title, ok=problem is None, seconds=time.monotonic() - began, problem=problem
            )
            if problem:
                return

    def _problem_in(self, act: Callable[[], None]) -> str | None:
        try:
            act()
        except (Setback, OSError) as problem:
            self._console.bad(str(problem))
            return str(problem)
        return None

    def _introduce(self) -> None:
        self._console.title("A certificate is renewed, and mail stops. Why?")
        self._console.text(
            """Two organisations send their mail to the outside through one relay. The relay must know which
            is: by the certificate that a server presents, or by its address. When it cannot, it refuses with '550
            5.7.64 TenantAttribution; Relay Access Denied'. You will see that happen, see why, and see it fixed."""
        )
        self._console.picture(_PICTURE)
        self._console.text(
            f"""All of it is real, and on this machine only: servers, sockets, certificates, mail. 'relay$' and
            'edge$' are two folders in {self._stage.folder}; what stands behind them is a command that is run there,
            and below it is what it says."""
        )

    # 1

    def _set_up(self) -> None:
        stage, console = self._stage, self._console
        stage.open_mailboxes()
        console.text(
            f"""The relay's operator sets it up. The outside is one mail server here, at {stage.outside_host}, so all
            mail goes there. Then each organisation becomes a tenant, with its domain, and with inbound connectors
            that say how its servers are recognised. With --verified the operator vouches for a domain; without it
            the relay wants to see a TXT record in DNS. In gatepost.toml the demo sets a free port, and client_roots:
            the authority whose certificates count here."""
        )
        console.commands(self._relay_commands())
        console.text(
            """Contoso's administrator sets up the edge beside the organisation's own mail server. It hands all mail
            to the relay and presents its certificate there; notices to contoso's users go to their mailboxes. An edge
            keeps mail that its relay refuses for 4 hours, and writes to its postmaster; the demo sets hold_refused to
            0, so that Ann hears of it at once."""
        )
        console.commands(self._edge_commands())
        stage.fabrikam.start()
        console.text("Both run. Fabrikam's mail begins to flow, and from now on goes on all the time.")
        self._fabrikam_flows()

    def _relay_commands(self) -> Iterator[CommandLine]:
        relay = self._stage.relay
        yield _done(relay.run("init", "--hostname", RELAY))
        address = self._stage.console_address
        console = f'[console]\naddress = "{address}"' if address else ""
        relay.configure((*_serving_at(relay.port, console), ("# client_roots = ", 'client_roots = "roots.pem"')))
        for words in (
            ("send-connector", "set", "internet", "--smart-host", self._stage.outside_host),
            ("tenant", "add", "contoso"),
            ("domain", "add", "contoso", "contoso.com", "--verified"),
            ("inbound-connector", "add", "contoso", "edge", "--certificate-name", OLD_NAME),
            ("inbound-connector", "add", "contoso", "scanner", "--address", OLD_ADDRESS),
            ("tenant", "add", "fabrikam"),
            ("domain", "add", "fabrikam", "fabrikam.com", "--verified"),
            ("inbound-connector", "add", "fabrikam", "server", "--certificate-name", FABRIKAM_NAME),
        ):
            yield _done(relay.run(*words))
        yield relay.serve()

    def _edge_commands(self) -> Iterator[CommandLine]:
        stage, edge = self._stage, self._stage.edge
        certificate, key = stage.edge_identity.certificate.name, stage.edge_identity.key.name
        smart_host = f"127.0.0.1:{stage.relay.port}"
        yield _done(
            edge.run(
                *("init", "--edge", "--hostname", EDGE, "--domain", "contoso.com", "--smart-host", smart_host),
                *("--certificate", certificate, "--key", key, "--mailboxes", stage.premises_host),
            )
        )
        edge.configure(_serving_at(edge.port, '[edge]\nhold_refused = "0s"'))
        yield edge.serve()

    # 2

    def _mail_flows(self) -> None:
        self._console.text(
            f"""Ann writes to Bob. At the relay the edge presents its certificate, {OLD_NAME}. The relay finds that
            name in contoso's connector 'edge', so this is contoso's mail, and it goes on to Bob."""
        )
        arrived = self._ann_reaches_bob("Friday")
        self._console.text("The Received header at the top of Bob's copy shows how the relay knew:")
        self._console.quote(_received_by(arrived, RELAY))
        self._fabrikam_flows()

    # 3

    def _certificate_renewed(self) -> None:
        stage, console = self._stage, self._console
        console.text(
            f"""The edge's certificate runs out soon. A colleague renews it, orders the new one for {NEW_NAME}, and
            replaces the two files. Nothing is restarted: the edge takes the new certificate up by itself, and its
            log says so."""
        )
        stage.authority.issue(NEW_NAME, stage.edge_identity)
        renewed = stage.edge.wait_until_says("certificate-renewed")
        console.quote((renewed.partition(" sha256=")[0] + " …",))
        console.text(
            "But the relay does not know. Ann writes again, the relay refuses, and the edge returns her message:"
        )
        sent = self._hand_over(_from_ann("Saturday"))
        bounce = _arrival(stage.premises, lambda mail: _is_bounce_of(mail, sent), "the bounce in Ann's mailbox")
        head = [f"{name}: {bounce.field(name)}" for name in ("From", "To", "Subject")]
        console.quote((*head, "", *bounce.text.rstrip("\n").split("\n")), style="yellow")
        session = find_session_id(bounce.text)
        if session is None:
            raise Setback("the bounce names no session id")
        self._refused_session = session
        console.good("Ann knows that it is not her fault, and her administrator knows where to look.")
        self._fabrikam_flows()

    # 4

    def _why(self) -> None:
        stage, console, session = self._stage, self._console, self._refused_session
        console.text(
            f"""The refusal ends in the session id at the relay, {session}. With it the relay's operator asks why,
            and sees what was presented, and every reason:"""
        )
        why = _done(stage.relay.run("why", session))
        _insist(NEW_NAME in why.text and "certificate-name-matches-no-connector" in why.text, "why shows the cause")
        console.command(why, excerpt(why.output, ("refused", "issuer"), ("MAIL FROM", why.output[-1])))
        console.text("With the same id contoso's administrator finds in the edge's send log what the edge presented:")
        log = _done(stage.edge.run("protocol-log", "show", session))
        _insist(NEW_NAME in log.text and "5.7.64" in log.text, "the send log shows the certificate and the refusal")
        spans = (session, "connector"), ("Sending certificate", "names"), ("MAIL FROM", f"{session}]")
        console.command(log, excerpt(log.output, *spans))
        console.good(f"The cause: the edge presents {NEW_NAME}, and contoso's connector asks for {OLD_NAME}.")
        self._fabrikam_flows()

    # 5

    def _connector_changed(self) -> None:
        stage, console = self._stage, self._console
        console.text("The certificate is a good one, so the connector follows it:")
        console.command(
            _done(stage.relay.run("inbound-connector", "set", "contoso", "edge", "--certificate-name", NEW_NAME))
        )
        console.good(f"In force {self._in_force_after(stage.edge_at_relay, ANN)} later, without a restart.")
        console.text("What would happen now? The operator can ask before anybody sends anything:")
        console.command(
            _done(
                stage.relay.run(
                    *("explain", "--certificate", f"../edge/{stage.edge_identity.certificate.name}"),
                    *("--mail-from", ANN, "--rcpt-to", BOB),
                )
            )
        )
        console.text("Ann sends her message again.")
        self._ann_reaches_bob("Saturday")
        self._fabrikam_flows()

    # 6

    def _address_changed(self) -> None:
        stage, console = self._stage, self._console
        console.text(
            f"""Contoso's scanner sends what it scans straight to the relay. It has no certificate: contoso's
            connector 'scanner' knows it by its address, {OLD_ADDRESS}. Since an address proves little, the sender's
            domain must be contoso's as well."""
        )
        self._scan("Invoice 1", OLD_ADDRESS)
        console.text(f"The network is rebuilt, and the scanner connects from {NEW_ADDRESS}. The relay refuses:")
        refused = send(_scanned("Invoice 2"), stage.scanner(NEW_ADDRESS))
        session = find_session_id(refused.text)
        if refused.accepted or session is None:
            raise Setback(f"mail from {NEW_ADDRESS} should be refused with a session id; the reply is: {refused}")
        console.quote((str(refused),), style="yellow")
        why = _done(stage.relay.run("why", session))
        _insist("address-matches-no-connector" in why.text, "why shows the cause")
        console.command(why)
        console.command(
            _done(stage.relay.run("inbound-connector", "set", "contoso", "scanner", "--address", NEW_ADDRESS))
        )
        console.good(f"In force {self._in_force_after(stage.scanner(NEW_ADDRESS), SCANNER)} later.")
        self._scan("Invoice 2", NEW_ADDRESS)
        self._fabrikam_flows()

    # 7

    def _stopped(self) -> None:
        stage, console = self._stage, self._console
        stage.fabrikam.end()
        console.text("Fabrikam's mail went through the same relay all the while, untouched by contoso's troubles.")
        self._fabrikam_flows()
        stage.end()
        console.good("Every process of the demo has ended.")

    def _console_opened(self) -> None:
        relay, console = self._stage.relay, self._console
        relay.wait_until_says(r"console on https://")
        console.text(
            """The relay's console shows all of this in a browser. Fabrikam's mail goes on. Search there for the session
            id above, or open Unattributed. The browser warns: the certificate is the demo's own."""
        )
        invited = _done(relay.run("person", "add", "you", "--operator"))
        console.command(invited, ("…",))
        console.link(next(line for line in invited.output if line.startswith("https://")))
        console.good("The relay runs until you press Ctrl-C.")

    # What happens more than once

    def _ann_reaches_bob(self, subject: str) -> StoredMail:
        began = time.monotonic()
        return self._reaches_bob(self._hand_over(_from_ann(subject)), began)

    def _hand_over(self, message: EmailMessage) -> EmailMessage:
        answer = send(message, self._stage.ann)
        _insist(answer.accepted, f"the edge takes Ann's message; it says: {answer}")
        return message

    def _scan(self, subject: str, address: str) -> None:
        message = _scanned(subject)
        began = time.monotonic()
        answer = send(message, self._stage.scanner(address))
        _insist(answer.accepted, f"the relay takes the scanner's message; it says: {answer}")
        self._reaches_bob(message, began)

    def _reaches_bob(self, message: EmailMessage, began: float) -> StoredMail:
        wanted, subject = str(message["Message-ID"]), message["Subject"]
        arrived = _arrival(
            self._stage.outside, lambda mail: mail.field("Message-ID") == wanted, f"'{subject}' in Bob's mailbox"
        )
        self._console.good(f"Bob has '{subject}' from {message['From']}, after {_milliseconds(began)}.")
        return arrived

    def _in_force_after(self, sender: Sender, reverse_path: str) -> str:
        began = time.monotonic()
        wait_for(lambda: ask(sender, reverse_path, BOB).accepted or None, "the relay to know its changed connector")
        return _milliseconds(began)

    def _fabrikam_flows(self) -> None:
        fabrikam = self._stage.fabrikam
        wait_for(lambda: fabrikam.accepted or fabrikam.refused or None, "fabrikam's first message")
        _insist(not fabrikam.refused, f"fabrikam's mail is never refused; the reply is: {fabrikam.refused[:1]}")
        sent = fabrikam.accepted
        wait_for(lambda: self._arrived_from(CAROL) >= sent or None, f"fabrikam's {sent} messages in Bob's mailbox")
        self._console.aside(f"fabrikam.com so far: {sent} sent, {sent} arrived, none refused")

    def _arrived_from(self, sender: str) -> int:
        return sum(mail.return_path == f"<{sender}>" for mail in self._stage.outside.mail())


def _serving_at(port: int, tables: str = "") -> tuple[tuple[str, str], ...]:
    """Lines of gatepost.toml. One worker is enough, and leaves the machine to whoever looks on."""
    return ("address = ", f'address = "127.0.0.1:{port}"\n{tables}'), ("data = ", 'data = "data"\nworkers = 1')


def _from_ann(day: str) -> EmailMessage:
    return new_message(ANN, BOB, day, f"Dear Bob,\n\ndo we meet on {day}?\n\nAnn\n")


def _scanned(subject: str) -> EmailMessage:
    return new_message(SCANNER, BOB, subject, "One page.\n")


def _done(line: CommandLine) -> CommandLine:
    if line.exit_code != 0:
        raise Setback(f"'{' '.join(line.words)}' ended with exit code {line.exit_code}: {line.output[-1]}")
    return line


def _insist(happened: bool, what: str) -> None:
    if not happened:
        raise Setback(f"it did not happen that {what}")


def _arrival(mailbox: Mailbox, wanted: Callable[[StoredMail], bool], what: str) -> StoredMail:
    return wait_for(lambda: mailbox.find(wanted), what)


def _is_bounce_of(mail: StoredMail, message: EmailMessage) -> bool:
    return mail.return_path == "<>" and str(message["Message-ID"]) in mail.source


def _received_by(mail: StoredMail, host: str) -> list[str]:
    """The trace field that `host` wrote, as it is folded."""
    fields = mail.source.partition("\r\n\r\n")[0].replace("\r\n\t", "\n\t").split("\r\n")
    field = next(each for each in fields if each.startswith("Received:") and f"\tby {host} " in each)
    return field.replace("\t", "    ").split("\n")


def _milliseconds(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
