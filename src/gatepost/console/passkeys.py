"""Passkeys by WebAuthn (Level 3): what a browser is asked, and what its answer must hold.

Laws: the person is verified by the device, by its code or by a finger; an answer is for our host and our challenge; a
device whose count goes back may be a copy, and is refused.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gatepost.config import ConsoleConfig
from gatepost.console.tickets import Ticket
from gatepost.errors import NotAllowed
from gatepost.mail.visible import visible
from gatepost.tenancy.person import Passkey, Person

_CHALLENGE: Final = "challenge"
_BROKEN: Final = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
"""What the library raises for answers that are none."""


def are_possible(console: ConsoleConfig) -> bool:
    """They are for a name, and not for an address (WebAuthn 5.1.2: a valid domain string)."""
    try:
        ip_address(console.host_name)
    except ValueError:
        return True
    return False


def creation_options(console: ConsoleConfig, ticket: Ticket, person: Person, known: Sequence[Passkey]) -> str:
    return options_to_json(
        generate_registration_options(
            rp_id=console.host_name,
            rp_name=f"Gatepost {console.host_name}",
            user_id=_handle(ticket, person.name),
            user_name=person.name,
            challenge=ticket.derived(_CHALLENGE),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.id)) for each in known],
        )
    )


def request_options(console: ConsoleConfig, ticket: Ticket) -> str:
    return options_to_json(
        generate_authentication_options(
            rp_id=console.host_name,
            challenge=ticket.derived(_CHALLENGE),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def created(console: ConsoleConfig, ticket: Ticket, person: Person, answer: str, label: str, at: datetime) -> Passkey:
    """Raises `NotAllowed`."""
    try:
        found = verify_registration_response(
            credential=answer,
            expected_challenge=ticket.derived(_CHALLENGE),
            expected_rp_id=console.host_name,
            expected_origin=console.url,
            require_user_verification=True,
        )
    except _BROKEN as error:
        raise _refusal(error) from None
    return Passkey(
        id=bytes_to_base64url(found.credential_id),
        person=person.name,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        label=label,
        created_at=at,
    )


def id_in(answer: str) -> str:
    """Of the passkey that the answer claims to be of. Raises `NotAllowed`."""
    try:
        return bytes_to_base64url(parse_authentication_credential_json(answer).raw_id)
    except _BROKEN as error:
        raise _refusal(error) from None


def proven_count(console: ConsoleConfig, ticket: Ticket, passkey: Passkey, answer: str) -> int:
    """Of the device, once its answer holds. Raises `NotAllowed`."""
    try:
        handle = parse_authentication_credential_json(answer).response.user_handle
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=ticket.derived(_CHALLENGE),
            expected_rp_id=console.host_name,
            expected_origin=console.url,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except _BROKEN as error:
        raise _refusal(error) from None
    if handle and not hmac.compare_digest(handle, _handle(ticket, passkey.person)):
        raise NotAllowed("this passkey was made for somebody else", next_step="sign in another way")
    return found.new_sign_count


def _handle(ticket: Ticket, name: str) -> bytes:
    """Who a passkey is for, to the device: it says nothing to anybody else (WebAuthn 14.6.1)."""
    return hmac.digest(ticket.key, f"user {name.casefold()}".encode(), sha256)


def _refusal(error: Exception) -> NotAllowed:
    why = visible(str(error))[:120] or "it cannot be read"
    return NotAllowed(f"the answer of the passkey does not hold: {why}", next_step="begin again")
