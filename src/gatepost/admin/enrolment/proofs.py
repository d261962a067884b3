"""Proofs of pins: what a tenant's servers have proven by an enrolment, whether it still counts, and taking it back.

Law: every proof that is stored is listed, with the reason where it does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.errors import NotFound
from gatepost.tenancy.fields import Record
from gatepost.tenancy.notation import sha256
from gatepost.tenancy.proof import Proof, ProvenBy, holder, proof_record


class ProofState(StrEnum):
    COUNTS = "counts"
    ENDED = "ended"
    """With the certificate it was made with."""
    MADE_BY_MESSAGE = "made-by-message"
    """Before the EHLO name had to carry the token: a forwarder or a shared provider could have made it."""
    NO_VERIFIED_DOMAIN = "no-verified-domain"
    PROVEN_BEFORE = "proven-before"
    """Another tenant has proven the same pin earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProof:
    pin: str
    proof: Proof
    state: ProofState

    @property
    def record(self) -> Record:
        return {"pin": self.pin, "state": self.state.value, **proof_record(self.proof)}


def every(editor: DirectoryEditor, tenant: str | None, at: datetime) -> Iterator[ListedProof]:
    """Of one tenant, or of all."""
    owner = tenant_named(editor, tenant).name if tenant else None
    for pin, proof in editor.all_proofs(owner):
        yield ListedProof(pin=pin, proof=proof, state=_state(editor, pin, proof, at))


def _state(editor: DirectoryEditor, pin: str, proof: Proof, at: datetime) -> ProofState:
    if proof.by is ProvenBy.MESSAGE:
        return ProofState.MADE_BY_MESSAGE
    if not proof.counts(at):
        return ProofState.ENDED
    if not editor.has_verified_domain(proof.tenant):
        return ProofState.NO_VERIFIED_DOMAIN
    first = holder(editor, pin, at)
    return ProofState.COUNTS if first and first.tenant == proof.tenant else ProofState.PROVEN_BEFORE


def take_back(editor: DirectoryEditor, tenant: str, text: str, at: datetime) -> ListedProof:
    """The pin counts like an address from now on, until it is proven again."""
    pin = sha256(text, "certificate or public key")
    with editor.change():
        owner = tenant_named(editor, tenant).name
        proof = editor.proof(owner, pin)
        if proof is None:
            raise NotFound(f"tenant {owner} has no proof of {pin}", next_step=f"see: gatepost proof list {owner}")
        listed = ListedProof(pin=pin, proof=proof, state=_state(editor, pin, proof, at))
        editor.remove_proof(proof, pin)
        return listed
