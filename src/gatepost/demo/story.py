"""The story, step by step. Each step does something real, shows it, and insists on the result it tells of."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from gatepost.demo.letters import Sender, ask, letter, send
from gatepost.demo.machines import CommandLine
from gatepost.demo.mailbox import Mailbox, StoredMail
from gatepost.demo.telling import Teller, excerpt
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
    def __init__(self, world: World, teller: Teller) -> None:
        self._world = world
        self._tell = teller
        self._refused_session = ""

    def play(self) -> Iterator[StepResult]:
        """Play step after step; the first that goes another way is the last."""
        steps: Sequence[tuple[str, str, Callable[[], None]]] = (
            ("set-up", "Two organisations, one relay", self._set_up),
            ("mail-flows", "Mail flows by certificate", self._mail_flows),
            ("certificate-renewed", "The certificate is renewed, and mail comes back", self._certificate_renewed),
            ("why", "The cause, seen from both sides", self._why),
            ("connector-changed", "The connector is changed, and mail flows", self._connector_changed),
            ("address-changed", "The same for a server that is known by its address", self._address_changed),
            ("stopped", "The end", self._stopped),
        )
        self._introduce()
        for number, (name, title, act) in enumerate(steps, 1):
            self._tell.heading(f"{number} of {len(steps)}  {title}")
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
            self._tell.bad(str(problem))
            return str(problem)
        return None

    def _introduce(self) -> None:
        self._tell.title("A certificate is renewed, and mail stops. Why?")
        self._tell.says(
            """Two organisations send their mail to the outside through one relay. The relay must tell whose mail it
            is: by the certificate that a server presents, or by its address. When it cannot, it refuses with '550
            5.7.64 TenantAttribution; Relay Access Denied'. You will see that happen, see why, and see it mended."""
        )
        self._tell.picture(_PICTURE)
        self._tell.says(
            f"""All of it is real, and on this machine only: servers, sockets, certificates, mail. 'relay$' and
            'edge$' are two folders in {self._world.folder}; what stands behind them is a command that is run there,
            and below it is what it says."""
        )

    # 1

    def _set_up(self) -> None:
        world, tell = self._world, self._tell
        world.open_mailboxes()
        tell.says(
            f"""The relay's operator sets it up. The outside is one mail server here, at {world.outside_host}, so all
            mail goes there. Then each organisation becomes a tenant, with its domain, and with inbound connectors
            that say how its servers are recognised. With --verified the operator vouches for a domain; without it
            the relay wants to see a TXT record in DNS. In gatepost.toml the demo sets a free port, and client_roots:
            the authority whose certificates count here."""
        )
        tell.commands(self._relay_commands())
        tell.says(
            """Contoso's administrator sets up the edge beside the organisation's own mail server. It hands all mail
            to the relay and presents its certificate there; notices to contoso's users go to their mailboxes. An edge
            keeps mail that its relay refuses for 4 hours, and writes to its postmaster; the demo sets hold_refused to
            0, so that Ann hears of it at once."""
        )
        tell.commands(self._edge_commands())
        world.fabrikam.start()
        tell.says("Both run. Fabrikam's mail begins to flow, and from now on goes on all the time.")
        self._fabrikam_flows()

    def _relay_commands(self) -> Iterator[CommandLine]:
        relay = self._world.relay
        yield _done(relay.run("init", "--hostname", RELAY))
        relay.configure((*_serving_at(relay.port), ("# client_roots = ", 'client_roots = "roots.pem"')))
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
                *("--certificate", certificate, "--key", key, "--mailboxes", world.premises_host),
            )
        )
        edge.configure(_serving_at(edge.port, '[edge]\nhold_refused = "0s"'))
        yield edge.serve()

    # 2

    def _mail_flows(self) -> None:
        self._tell.says(
            f"""Ann writes to Bob. At the relay the edge presents its certificate, {OLD_NAME}. The relay finds that
            name in contoso's connector 'edge', so this is contoso's mail, and it goes on to Bob."""
        )
        arrived = self._ann_reaches_bob("Friday")
        self._tell.says("In the trace at the top of Bob's copy the relay tells how it knew:")
        self._tell.quote(_received_by(arrived, RELAY))
        self._fabrikam_flows()

    # 3

    def _certificate_renewed(self) -> None:
        world, tell = self._world, self._tell
        tell.says(
            f"""The edge's certificate runs out soon. A colleague renews it, orders the new one for {NEW_NAME}, and
            replaces the two files. Nothing is restarted: the edge takes the new certificate up by itself, and its
            log says so."""
        )
        world.authority.issue(NEW_NAME, world.edge_identity)
        renewed = world.edge.wait_until_says("certificate-renewed")
        tell.quote((renewed.partition(" sha256=")[0] + " …",))
        tell.says("But nobody told the relay. Ann writes again, the relay refuses, and the edge returns her message:")
        sent = self._hand_over(_from_ann("Saturday"))
        bounce = _arrival(world.premises, lambda mail: _is_bounce_of(mail, sent), "the bounce in Ann's mailbox")
        head = [f"{name}: {bounce.field(name)}" for name in ("From", "To", "Subject")]
        tell.quote((*head, "", *bounce.text.rstrip("\n").split("\n")), style="yellow")
        session = find_session_id(bounce.text)
        if session is None:
            raise Setback("the bounce names no session id")
        self._refused_session = session
        tell.good("Ann knows that it is not her fault, and her administrator knows where to look.")
        self._fabrikam_flows()

    # 4

    def _why(self) -> None:
        world, tell, session = self._world, self._tell, self._refused_session
        tell.says(
            f"""The refusal ends in the session id at the relay, {session}. With it the relay's operator asks why,
            and is told what was presented, and every reason:"""
        )
        why = _done(world.relay.run("why", session))
        _insist(NEW_NAME in why.text and "certificate-name-matches-no-connector" in why.text, "why tells the cause")
        tell.command(why, excerpt(why.output, ("refused", "issuer"), ("MAIL FROM", why.output[-1])))
        tell.says("With the same id contoso's administrator finds in the edge's send log what the edge presented:")
        log = _done(world.edge.run("protocol-log", "show", session))
        _insist(NEW_NAME in log.text and "5.7.64" in log.text, "the send log shows the certificate and the refusal")
        spans = (session, "connector"), ("Sending certificate", "names"), ("MAIL FROM", f"{session}]")
        tell.command(log, excerpt(log.output, *spans))
        tell.good(f"The cause: the edge presents {NEW_NAME}, and contoso's connector asks for {OLD_NAME}.")
        self._fabrikam_flows()

    # 5

    def _connector_changed(self) -> None:
        world, tell = self._world, self._tell
        tell.says("The certificate is a good one, so the connector follows it:")
        tell.command(
            _done(world.relay.run("inbound-connector", "set", "contoso", "edge", "--certificate-name", NEW_NAME))
        )
        tell.good(f"In force {self._in_force_after(world.edge_at_relay, ANN)} later, without a restart.")
        tell.says("What would happen now? The operator can ask before anybody sends anything:")
        tell.command(
            _done(
                world.relay.run(
                    *("explain", "--certificate", f"../edge/{world.edge_identity.certificate.name}"),
                    *("--mail-from", ANN, "--rcpt-to", BOB),
                )
            )
        )
        tell.says("Ann sends her message again.")
        self._ann_reaches_bob("Saturday")
        self._fabrikam_flows()

    # 6

    def _address_changed(self) -> None:
        world, tell = self._world, self._tell
        tell.says(
            f"""Contoso's scanner sends what it scans straight to the relay. It has no certificate: contoso's
            connector 'scanner' knows it by its address, {OLD_ADDRESS}. Since an address proves little, the sender's
            domain must be contoso's as well."""
        )
        self._scan("Invoice 1", OLD_ADDRESS)
        tell.says(f"The network is rebuilt, and the scanner connects from {NEW_ADDRESS}. The relay tells it:")
        refused = send(_scanned("Invoice 2"), world.scanner(NEW_ADDRESS))
        session = find_session_id(refused.text)
        if refused.accepted or session is None:
            raise Setback(f"mail from {NEW_ADDRESS} should be refused with a session id; it is told: {refused}")
        tell.quote((str(refused),), style="yellow")
        why = _done(world.relay.run("why", session))
        _insist("address-matches-no-connector" in why.text, "why tells the cause")
        tell.command(why)
        tell.command(_done(world.relay.run("inbound-connector", "set", "contoso", "scanner", "--address", NEW_ADDRESS)))
        tell.good(f"In force {self._in_force_after(world.scanner(NEW_ADDRESS), SCANNER)} later.")
        self._scan("Invoice 2", NEW_ADDRESS)
        self._fabrikam_flows()

    # 7

    def _stopped(self) -> None:
        world, tell = self._world, self._tell
        world.fabrikam.end()
        tell.says("Fabrikam's mail went through the same relay all the while, untouched by contoso's troubles.")
        self._fabrikam_flows()
        world.end()
        tell.good("Every process of the demo has ended.")

    # What happens more than once

    def _ann_reaches_bob(self, subject: str) -> StoredMail:
        began = time.monotonic()
        return self._reaches_bob(self._hand_over(_from_ann(subject)), began)

    def _hand_over(self, message: EmailMessage) -> EmailMessage:
        answer = send(message, self._world.ann)
        _insist(answer.accepted, f"the edge takes Ann's message; it says: {answer}")
        return message

    def _scan(self, subject: str, address: str) -> None:
        message = _scanned(subject)
        began = time.monotonic()
        answer = send(message, self._world.scanner(address))
        _insist(answer.accepted, f"the relay takes the scanner's message; it says: {answer}")
        self._reaches_bob(message, began)

    def _reaches_bob(self, message: EmailMessage, began: float) -> StoredMail:
        wanted, subject = str(message["Message-ID"]), message["Subject"]
        arrived = _arrival(
            self._world.outside, lambda mail: mail.field("Message-ID") == wanted, f"'{subject}' in Bob's mailbox"
        )
        self._tell.good(f"Bob has '{subject}' from {message['From']}, after {_milliseconds(began)}.")
        return arrived

    def _in_force_after(self, sender: Sender, reverse_path: str) -> str:
        began = time.monotonic()
        wait_for(lambda: ask(sender, reverse_path, BOB).accepted or None, "the relay to know its changed connector")
        return _milliseconds(began)

    def _fabrikam_flows(self) -> None:
        fabrikam = self._world.fabrikam
        wait_for(lambda: fabrikam.accepted or fabrikam.refused or None, "fabrikam's first message")
        _insist(not fabrikam.refused, f"fabrikam's mail is never refused; it is told: {fabrikam.refused[:1]}")
        sent = fabrikam.accepted
        wait_for(lambda: self._arrived_from(CAROL) >= sent or None, f"fabrikam's {sent} messages in Bob's mailbox")
        self._tell.aside(f"fabrikam.com so far: {sent} sent, {sent} arrived, none refused")

    def _arrived_from(self, sender: str) -> int:
        return sum(mail.return_path == f"<{sender}>" for mail in self._world.outside.mail())


def _serving_at(port: int, tables: str = "") -> tuple[tuple[str, str], ...]:
    """Lines of gatepost.toml. One worker is enough, and leaves the machine to whoever looks on."""
    return ("address = ", f'address = "127.0.0.1:{port}"\n{tables}'), ("data = ", 'data = "data"\nworkers = 1')


def _from_ann(day: str) -> EmailMessage:
    return letter(ANN, BOB, day, f"Dear Bob,\n\ndo we meet on {day}?\n\nAnn\n")


def _scanned(subject: str) -> EmailMessage:
    return letter(SCANNER, BOB, subject, "One page.\n")


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
