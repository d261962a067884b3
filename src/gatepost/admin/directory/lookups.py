"""Finding what a command names, and saying which known name is nearest when it does not exist."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.errors import BadRequest, NotFound, Said
from gatepost.mail.domain import DomainError, domain_key
from gatepost.tenancy.definitions import DOMAIN
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant

# How many known names a wrong one is compared with: enough to help, little enough to answer at once.
_COMPARED = 2000


def tenant_named(editor: DirectoryEditor, name: str) -> Tenant:
    found = editor.tenant(name)
    if found is None:
        hint = _hint(name, editor.tenant_names(name, _COMPARED), "see: gatepost tenant list")
        says = f"there is no tenant '{name}'"
        raise NotFound(says, next_step=hint, to_tenant=Said(message=says))
    return found


def domain_named(editor: DirectoryEditor, name: str, tenant: str | None = None) -> AcceptedDomain:
    """The tenant's own; without `tenant` the owner's, or else the only claim there is."""
    claims = claims_named(editor, name, tenant)
    if len(claims) > 1:
        raise say_whose(claims[0].domain, "is claimed by several tenants and verified for none", claims)
    return claims[0]


def claims_named(editor: DirectoryEditor, name: str, tenant: str | None = None) -> Sequence[AcceptedDomain]:
    """Those that may be meant by a domain's name: with `tenant` that tenant's; else the owner's alone where there is
    one, so that what others claim changes nothing for it; else every claim."""
    of_tenant = tenant_named(editor, tenant).name if tenant is not None else None
    try:
        found = editor.claims(domain_key(name))
    except DomainError:
        found = []
    found = [each for each in found if of_tenant in (None, each.tenant)]
    if not found:
        known = (each.domain for each in editor.all_domains(of_tenant))
        says = f"there is no accepted domain '{name}'" + (f" of tenant {of_tenant}" if of_tenant else "")
        hint = _hint(name, known, "see: gatepost domain list")
        raise NotFound(says, next_step=hint, to_tenant=Said(message=says))
    return [each for each in found if each.verified] or found


def say_whose(domain: str, why: str, claims: Sequence[AcceptedDomain]) -> BadRequest:
    names = ", ".join(each.tenant for each in claims[:5]) + (" and others" if len(claims) > 5 else "")
    return BadRequest(f"{domain} {why} ({names}): say which tenant is meant, with ", DOMAIN["tenant"], " NAME")


def inbound_connector_named(editor: DirectoryEditor, tenant: str, name: str) -> InboundConnector:
    owner = tenant_named(editor, tenant)
    found = editor.inbound_connector(owner.name, name)
    if found is None:
        known = (each.name for each in editor.all_inbound_connectors(owner.name))
        hint = _hint(name, known, f"see: gatepost inbound-connector list {owner.name}")
        raise NotFound(f"tenant {owner.name} has no inbound connector '{name}'", next_step=hint)
    return found


def send_connector_named(editor: DirectoryEditor, name: str) -> SendConnector:
    found = editor.send_connector(name)
    if found is None:
        known = (each.name for each in editor.all_send_connectors())
        says = f"there is no send connector '{name}'"
        hint = _hint(name, known, "see: gatepost send-connector list")
        raise NotFound(says, next_step=hint, to_tenant=Said(message=says))
    return found


def _hint(wrong: str, known: Iterable[str], otherwise: str) -> str:
    by_folded = {name.casefold(): name for name in islice(known, _COMPARED)}
    near = get_close_matches(wrong.casefold(), by_folded, n=1)
    return f"did you mean '{by_folded[near[0]]}'?" if near else otherwise
