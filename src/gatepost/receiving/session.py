"""The parts of one session, put together when its peer is known."""

from typing import NamedTuple

from gatepost.carrier.pipe import endpoint
from gatepost.carrier.session_log import SessionLog
from gatepost.protocol_log.record import Event
from gatepost.receiving.acceptance import Acceptance
from gatepost.receiving.conversation import Carrier, Conversation
from gatepost.receiving.services import ListenerServices
from gatepost.receiving.session_gate import Visitor
from gatepost.receiving.session_report import SessionReport
from gatepost.receiving.transaction import Peer
from gatepost.smtp.server_session import ServerSession
from gatepost.tenancy.evidence import Address


class Session(NamedTuple):
    id: str
    machine: ServerSession
    acceptance: Acceptance
    conversation: Conversation
    report: SessionReport
    log: SessionLog | None


def open_session(
    listener: ListenerServices, carrier: Carrier, address: Address, port: int, local: str, visitor: Visitor | None
) -> Session:
    """`visitor`: None where the peer is not let in, and told so."""
    now = listener.shared.now()
    id, name = listener.next_session_id(now), listener.acceptance.listener
    text = str(address) if visitor is None else visitor.address
    log = None
    if listener.log is not None:
        log = SessionLog(listener.log, listener.shared.now, name, id)
        log.local_endpoint, log.remote_endpoint = local, endpoint((text, port))
        log.add(Event.CONNECT, "")
    machine = ServerSession(listener.machine)
    acceptance = Acceptance(listener.acceptance, listener.shared, id)
    peer = Peer(address=address, address_text=text)
    conversation = Conversation(
        machine, acceptance, carrier, log, peer, listener.gate, visitor, listener.least_content_rate
    )
    report = SessionReport(id, name, now, listener.shared.now, acceptance, log, listener.record)
    return Session(id, machine, acceptance, conversation, report, log)
