"""The story, step by step. Each step does something real, shows it, and insists on the result it tells of."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from gatepost.demo.letters import Sender, ask, letter, send
from gatepost.demo.machines import CommandLine
from gatepost.demo.mailbox import Mailbox, StoredMail
from gatepost.demo.telling import Teller
from gatepost.demo.waiting import Setback, wait_for
from gatepost.demo.world import (
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
    World,
)
from gatepost.mail.session_id import find_session_id

_PICTURE = """\
  [bold]contoso.com[/]                                                    [bold]the outside[/]
  ann's mail ─▶ edge ══ certificate mail.contoso.com ═╗
  scanner ───────────── address 127.0.0.2 ────────────╬═▶ relay ─▶ bob@example.org
  [bold]fabrikam.com[/]                                        ║
  carol's mail ════════ certificate mail.fabrikam.com ╝"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    name: str
    title: str
    ok: bool
    seconds: float
    problem: str | None = None


class Story:
    def __init__(self, world: World, teller: Teller) -> None:
        self._world = world
        self._tell = teller
        self._refused_session = ""
        self.fabrikam_mail = 0
        """How many of its messages have been seen to arrive."""

    def play(self) -> Iterator[StepResult]:
        """Play step after step; the first that goes another way is the last."""
        steps: Sequence[tuple[str, str, Callable[[], None]]] = (
            ("set-up", "A relay for two organisations", self._set_up),
            ("mail-flows", "Mail flows by certificate", self._mail_flows),
            ("certificate-renewed", "The certificate is renewed, and mail comes back", self._certificate_renewed),
            ("why", "The cause, on both servers", self._why),
            ("connector-changed", "The connector is changed, and mail flows", self._connector_changed),
            ("address-changed", "The same for a server known by its address", self._address_changed),
            ("stopped", "The end: nothing was lost, nothing is left running", self._stopped),
        )
        for number, (name, title, act) in enumerate(steps, 1):
            self._tell.step(number, len(steps), title)
            began = time.monotonic()
            try:
                act()
                problem = None
            except Setback as setback:
                problem = str(setback)
                self._tell.bad(problem)
            yield StepResult(
                name=name, title=title, ok=problem is None, seconds=time.monotonic() - began, problem=problem
            )
            if problem:
                return

    # 1

    def _set_up(self) -> None:
        world, tell = self._world, self._tell
        tell.says(
            """The relay's operator sets it up. Every line behind a [bold green]$[/] is a command that really runs,
            and what stands below it is what it really said. '--verified' is the operator's word that the
            domain is the tenant's; without it the relay asks DNS for a TXT record."""
        )
        tell.commands(self._relay_commands())
        tell.says(
            """Contoso's administrator sets up the edge beside the organisation's mail server. It hands all mail
            to the relay, and presents its certificate there. Notices for contoso's users go to their own
            server."""
        )
        tell.commands(self._edge_commands())
        world.open_mailboxes()
        world.fabrikam.start()
        tell.says("Both run. Fabrikam's mail begins to flow at once, and goes on all the time.")
        self._fabrikam_flows()

    def _relay_commands(self) -> Iterator[CommandLine]:
        relay = self._world.relay
        yield _done(relay.run("init", "--hostname", RELAY))
        relay.configure((*_listening_at(relay.port), ("# client_roots = ", 'client_roots = "roots.pem"')))
        for words in (
            ("send-connector", "set", "internet", "--smart-host", self._world.outside_host),
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
        world, edge = self._world, self._world.edge
        certificate, key = world.edge_identity.certificate.name, world.edge_identity.key.name
        smart_host = f"127.0.0.1:{world.relay.port}"
        yield _done(
            edge.run(
                *("init", "--edge", "--hostname", EDGE, "--domain", "contoso.com", "--smart-host", smart_host),
                *("--certificate", certificate, "--key", key),
            )
        )
        edge.configure(_listening_at(edge.port))
        yield _done(
            edge.run(
                *("send-connector", "add", "premises", "--address-space", "contoso.com"),
                *("--smart-host", world.premises_host),
            )
        )
        yield edge.serve()

    # 2

    def _mail_flows(self) -> None:
        self._tell.says(
            f"""Ann writes to Bob. The edge presents its certificate, {OLD_NAME}; the relay finds that name in
            contoso's connector 'edge', so it is contoso's mail, and goes on to Bob."""
        )
        arrived = self._ann_reaches_bob("Friday")
        self._tell.says("At the top of Bob's copy stands how the relay knew:")
        self._tell.quote(_received_by(arrived, RELAY))
        self._fabrikam_flows()

    # 3

    def _certificate_renewed(self) -> None:
        world, tell = self._world, self._tell
        tell.says(
            f"""The edge's certificate runs out soon, so a colleague renews it, and orders the new one for
            [bold]{NEW_NAME}[/]. The two files are replaced. The edge notices by itself; nobody restarts
            anything, and nobody thinks of the relay."""
        )
        world.authority.issue(NEW_NAME, world.edge_identity)
        tell.quote((world.edge.wait_until_says("certificate-renewed"),))
        tell.says("Ann writes to Bob again. This time the relay refuses, and the edge returns her message:")
        sent = self._hand_over(_from_ann("Saturday"))
        bounce = _arrival(world.premises, lambda mail: _is_bounce_of(mail, sent), "the bounce in Ann's mailbox")
        tell.letter(bounce, ("From", "To", "Subject"), bounce.text.rstrip("\n").split("\n"))
        session = find_session_id(bounce.text)
        if session is None:
            raise Setback("the bounce names no session")
        self._refused_session = session
        tell.good("Ann knows what happened, and her administrator where to look.")
        self._fabrikam_flows()

    # 4

    def _why(self) -> None:
        world, tell = self._world, self._tell
        tell.says(
            """The bounce ends in the number of the session at the relay. The relay's operator asks what happened
            there, and why:"""
        )
        why = _done(world.relay.run("why", self._refused_session))
        _insist(NEW_NAME in why.text and "certificate-name-matches-no-connector" in why.text, "why tells the cause")
        tell.command(why)
        tell.says(
            """Contoso's administrator sees the other side with the same number: what the edge presented, and what
            it was told."""
        )
        log = _done(world.edge.run("protocol-log", "show", self._refused_session))
        _insist(NEW_NAME in log.text and "5.7.64" in log.text, "the send log shows the certificate and the refusal")
        tell.command(log)
        tell.good(f"Cause: the edge presents {NEW_NAME}; contoso's connector knows {OLD_NAME} only.")
        self._fabrikam_flows()

    # 5

    def _connector_changed(self) -> None:
        world, tell = self._world, self._tell
        tell.says("One side must follow the other. The operator writes the new name into contoso's connector:")
        tell.command(
            _done(world.relay.run("inbound-connector", "set", "contoso", "edge", "--certificate-name", NEW_NAME))
        )
        tell.good(f"The running relay knows it {self._live_after(world.edge_at_relay, ANN)} later, without a restart.")
        tell.says("Ann sends her message again.")
        self._ann_reaches_bob("Saturday")
        self._fabrikam_flows()

    # 6

    def _address_changed(self) -> None:
        world, tell = self._world, self._tell
        tell.says(
            f"""Contoso's scanner mails what it scans. It has no certificate: connector 'scanner' knows it by its
            address, {OLD_ADDRESS}, together with contoso's domain in the sender's address."""
        )
        self._scan("Invoice 1", OLD_ADDRESS)
        tell.says(f"The network is rebuilt, and the scanner connects from [bold]{NEW_ADDRESS}[/]. It is told:")
        refused = send(_scanned("Invoice 2"), world.scanner(NEW_ADDRESS))
        _insist(not refused.accepted, f"mail from {NEW_ADDRESS} is refused")
        tell.quote((str(refused),), style="red")
        session = find_session_id(refused.text)
        _insist(session is not None, "the refusal names its session")
        why = _done(world.relay.run("why", str(session)))
        _insist("address-matches-no-connector" in why.text, "why tells the cause")
        tell.command(why)
        tell.command(_done(world.relay.run("inbound-connector", "set", "contoso", "scanner", "--address", NEW_ADDRESS)))
        tell.good(f"Live {self._live_after(world.scanner(NEW_ADDRESS), SCANNER)} later.")
        self._scan("Invoice 2", NEW_ADDRESS)
        self._fabrikam_flows()

    # 7

    def _stopped(self) -> None:
        world, tell = self._world, self._tell
        world.fabrikam.end()
        self._fabrikam_flows()
        world.end()
        tell.good("All processes of the demo have ended.")

    # What happens more than once

    def _ann_reaches_bob(self, subject: str) -> StoredMail:
        return self._reaches_bob(self._hand_over(_from_ann(subject)))

    def _hand_over(self, message: EmailMessage) -> EmailMessage:
        answer = send(message, self._world.ann)
        _insist(answer.accepted, f"the edge takes Ann's message, but it says: {answer}")
        return message

    def _scan(self, subject: str, address: str) -> None:
        message = _scanned(subject)
        answer = send(message, self._world.scanner(address))
        _insist(answer.accepted, f"the relay takes the scanner's message, but it says: {answer}")
        self._reaches_bob(message)

    def _reaches_bob(self, message: EmailMessage) -> StoredMail:
        began = time.monotonic()
        arrived = _arrival(
            self._world.outside, lambda mail: mail.field("Message-ID") == message["Message-ID"], "the message at Bob's"
        )
        seconds = time.monotonic() - began
        self._tell.good(f"Bob has '{message['Subject']}', {seconds:.2f} s after it was sent.")
        return arrived

    def _live_after(self, sender: Sender, reverse_path: str) -> str:
        began = time.monotonic()
        wait_for(lambda: ask(sender, reverse_path, BOB).accepted or None, "the relay to know its changed connector")
        return f"{time.monotonic() - began:.1f} s"

    def _fabrikam_flows(self) -> None:
        fabrikam = self._world.fabrikam
        wait_for(lambda: fabrikam.accepted or fabrikam.refused or None, "fabrikam's first message")
        _insist(not fabrikam.refused, f"fabrikam's mail is never refused, but it is told: {fabrikam.refused[:1]}")
        sent = fabrikam.accepted
        wait_for(lambda: self._arrived_from(CAROL) >= sent or None, f"fabrikam's {sent} messages at Bob's")
        self.fabrikam_mail = sent
        self._tell.good(f"fabrikam.com all the while: {sent} sent, {sent} arrived, none refused.")

    def _arrived_from(self, sender: str) -> int:
        return sum(mail.return_path == f"<{sender}>" for mail in self._world.outside.mail())


def _listening_at(port: int) -> tuple[tuple[str, str], ...]:
    return ("address = ", f'address = "127.0.0.1:{port}"'), ("data = ", 'data = "data"\nworkers = 1')


def _from_ann(day: str) -> EmailMessage:
    return letter(ANN, BOB, day, f"Dear Bob,\n\ndo we meet on {day}?\n\nAnn\n")


def _scanned(subject: str) -> EmailMessage:
    return letter(SCANNER, BOB, subject, "One page.\n")


def _done(line: CommandLine) -> CommandLine:
    """A command that must succeed."""
    _insist(line.exit_code == 0, f"{' '.join(line.words)} succeeds, but it says: {line.text}")
    return line


def _insist(happened: bool, what: str) -> None:
    if not happened:
        raise Setback(f"it did not happen that {what}")


def _arrival(mailbox: Mailbox, wanted: Callable[[StoredMail], bool], what: str) -> StoredMail:
    return wait_for(lambda: mailbox.find(wanted), what)


def _is_bounce_of(mail: StoredMail, message: EmailMessage) -> bool:
    return mail.return_path == "<>" and str(message["Message-ID"]) in mail.source


def _received_by(mail: StoredMail, host: str) -> list[str]:
    """The trace field that `host` wrote."""
    field = next(each for each in mail.message.get_all("Received", []) if f"by {host} " in each)
    return str(field).split("\n")
