"""Questions to the path of the mail: each holds, is broken with the edit that repairs it, or cannot be told yet.

A check is a plain generator `(MailPath) -> Iterator[Check]` in a module of this folder and in `ALL` below. It says
what is, from objects; it never asks whether anything was refused.
"""

from collections.abc import Callable, Iterator

from gatepost.doctor.checks.check import Check
from gatepost.doctor.path.objects import MailPath

Asks = Callable[[MailPath], Iterator[Check]]


def all_checks(path: MailPath) -> tuple[Check, ...]:
    """Every answer that the path gives."""
    from gatepost.doctor.checks import named, selection, tenant

    asked: tuple[Asks, ...] = (
        selection.named_certificate_is_stored,
        selection.certificate_is_enabled_for_smtp,
        selection.newest_certificate_is_presented,
        selection.key_is_there,
        tenant.relay_recognises_the_session,
        named.the_reply_names_it,
    )
    return tuple(answer for each in asked for answer in each(path))
