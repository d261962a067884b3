"""Every operation on signing keys that commands ask for: how it is carried out here, and how elsewhere."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from gatepost.admin.directory import routes
from gatepost.admin.directory.operation import Here, Operation, Relay
from gatepost.admin.signing import keys
from gatepost.errors import NotAllowed
from gatepost.tenancy.notation import accepted_domain
from gatepost.tenancy.record import signing_key_from
from gatepost.tenancy.signing_key import KeyState, SigningKey


class Activated(NamedTuple):
    key: SigningKey
    stopped: Sequence[SigningKey]


class Retired(NamedTuple):
    key: SigningKey
    goes_on: bool
    """Another key signs for the domain."""


# --- here -------------------------------------------------------------------------------------------------------------


def _added(
    here: Here, tenant: str, domain: str, algorithm: str | None, pem: tuple[bytes, str] | None, **asked: Any
) -> SigningKey:
    pair = keys.pair_for(algorithm, pem)
    return keys.add(here.editor, here.hostname, tenant, domain, pair=pair, at=here.now, **asked)


def _checked(here: Here, tenant: str, domain: str, selector: str | None) -> list[keys.Published]:
    found = keys.of_domain(here.editor, tenant, domain, selector)
    wanted = [each for each in found if selector or each.state is not KeyState.RETIRED]
    published = [asyncio.run(keys.look(here.every_name_server, each)) for each in wanted]
    for each in published:
        keys.seen(here.editor, each, here.now)
    return published


def _activated(here: Here, tenant: str, domain: str, selector: str | None) -> Activated:
    key = keys.named(here.editor, tenant, domain, selector, keys.TO_ACTIVATE)
    return Activated(*keys.activate(here.editor, asyncio.run(keys.look(here.every_name_server, key)), here.now))


def _retired(here: Here, tenant: str, domain: str, selector: str | None) -> Retired:
    key = keys.named(here.editor, tenant, domain, selector, keys.TO_RETIRE)
    return Retired(*keys.retire(here.editor, key, here.now))


def _removed(here: Here, tenant: str, domain: str, selector: str | None) -> SigningKey:
    return keys.remove(here.editor, keys.named(here.editor, tenant, domain, selector, keys.TO_REMOVE))


# --- elsewhere --------------------------------------------------------------------------------------------------------


def _all_there(relay: Relay, *, tenant: str | None) -> list[SigningKey]:
    if tenant == keys.OPERATOR:
        raise _only_there()
    return list(map(signing_key_from, relay.every(routes.SIGNING_KEYS(relay, {"tenant": tenant}))))


def _of_domain_there(relay: Relay, *, tenant: str, domain: str, selector: str | None) -> Sequence[SigningKey]:
    every = _all_there(relay, tenant=tenant)
    name = accepted_domain(domain)
    return keys.chosen(tenant, name, [each for each in every if each.domain == name], selector)


def _named_there(
    relay: Relay, tenant: str, domain: str, selector: str | None, states: Sequence[KeyState]
) -> SigningKey:
    found = _of_domain_there(relay, tenant=tenant, domain=domain, selector=selector)
    return keys.the_one(found, selector, states)


def _path(route: routes.Route, relay: Relay, key: SigningKey) -> str:
    return route(relay, {"tenant": key.tenant, "domain": key.domain, "selector": key.selector})


def _add_there(
    relay: Relay,
    *,
    tenant: str,
    domain: str,
    selector: str | None,
    algorithm: str | None,
    pem: tuple[bytes, str] | None,
    rotate_days: int | None,
) -> SigningKey:
    name, now = accepted_domain(domain), datetime.now(UTC)
    existing = [each for each in _all_there(relay, tenant=tenant) if each.domain == name]
    chosen = keys.selector_for(selector, existing, now)
    body = {
        "algorithm": algorithm and keys.algorithm_called(algorithm).value,
        "private_key": pem[0].decode("ascii", "replace") if pem else None,
        "rotate_days": rotate_days,
    }
    path = routes.SIGNING_KEY(relay, {"tenant": tenant, "domain": name, "selector": chosen})
    return signing_key_from(relay.ask("PUT", path, body).body)


def _check_there(relay: Relay, *, tenant: str, domain: str, selector: str | None) -> list[keys.Published]:
    found = _of_domain_there(relay, tenant=tenant, domain=domain, selector=selector)
    wanted = [each for each in found if selector or each.state is not KeyState.RETIRED]
    said = [(each, relay.read(_path(routes.SIGNING_KEY_RECORD, relay, each))) for each in wanted]
    return [keys.Published(key=each, why_not=answer["why_not"]) for each, answer in said]


def _activate_there(relay: Relay, *, tenant: str, domain: str, selector: str | None) -> Activated:
    key = _named_there(relay, tenant, domain, selector, keys.TO_ACTIVATE)
    body: Any = relay.ask("POST", _path(routes.SIGNING_KEY_ACTIVATION, relay, key)).body
    after = {each.selector: each for each in _of_domain_there(relay, tenant=tenant, domain=domain, selector=None)}
    return Activated(signing_key_from(body["key"]), [after[each] for each in body["stopped"] if each in after])


def _retire_there(relay: Relay, *, tenant: str, domain: str, selector: str | None) -> Retired:
    key = _named_there(relay, tenant, domain, selector, keys.TO_RETIRE)
    stopped = signing_key_from(relay.ask("DELETE", _path(routes.SIGNING_KEY_ACTIVATION, relay, key)).body)
    others = _of_domain_there(relay, tenant=tenant, domain=domain, selector=None)
    return Retired(stopped, any(each.state is KeyState.ACTIVE for each in others))


def _remove_there(relay: Relay, *, tenant: str, domain: str, selector: str | None) -> SigningKey:
    key = _named_there(relay, tenant, domain, selector, keys.TO_REMOVE)
    relay.ask("DELETE", _path(routes.SIGNING_KEY, relay, key))
    return key


def _only_there() -> NotAllowed:
    return NotAllowed("keys for the relay's own messages are managed on the relay itself, not with --server")


ADD_KEY = Operation[SigningKey](
    here=_added,
    there=_add_there,
)
KEYS = Operation[Sequence[SigningKey]](
    here=lambda here, tenant: keys.every(here.editor, tenant),
    there=_all_there,
)
KEYS_OF_DOMAIN = Operation[Sequence[SigningKey]](
    here=lambda here, **asked: keys.of_domain(here.editor, **asked),
    there=_of_domain_there,
)
CHECK_KEYS = Operation[list[keys.Published]](here=_checked, there=_check_there)
ACTIVATE_KEY = Operation[Activated](here=_activated, there=_activate_there)
RETIRE_KEY = Operation[Retired](here=_retired, there=_retire_there)
REMOVE_KEY = Operation[SigningKey](here=_removed, there=_remove_there)
