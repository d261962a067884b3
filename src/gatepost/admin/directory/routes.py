"""Where the Management API has each object of the directory. Said once: the API serves these paths, and commands with
`--server` ask them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

_VARIABLE: Final = re.compile(r"\{(\w+)(:path)?\}")


class Asker(Protocol):
    """A relay elsewhere, as whoever's token opens it."""

    @property
    def tenant(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Route:
    """A path, with its variables in braces as the API's document has them: of all tenants, of one tenant's part, or
    both."""

    of_all: str = ""
    of_tenant: str = ""

    def __call__(self, relay: Asker, asked: Mapping[str, Any]) -> str:
        """The path for what is asked for: of the `tenant` that it names, else of the token's. `name` stands for the
        variable that is not named otherwise."""
        path, values = self.of_all, asked
        if self.of_tenant and (tenant := asked.get("tenant") or relay.tenant):
            path, values = self.of_tenant, {**asked, "tenant": tenant}

        def filled(variable: re.Match[str]) -> str:
            name, is_path = variable.groups()
            return quote(str(values[name if name in values else "name"]), safe="/" if is_path else "")

        return _VARIABLE.sub(filled, path)


def _part(name: str, rest: str = "") -> Route:
    return Route(f"/v1/{name}{rest}", f"/v1/tenants/{{tenant}}/{name}{rest}")


TENANTS = Route("/v1/tenants")
TENANT = Route("/v1/tenants/{tenant}")
DOMAINS = _part("domains")
DOMAIN = _part("domains", "/{domain}")
DOMAIN_VERIFICATION = Route(of_tenant="/v1/tenants/{tenant}/domains/{domain}/verification")
SIGNING_KEYS = _part("signing-keys")
SIGNING_KEY = Route(of_tenant="/v1/tenants/{tenant}/domains/{domain}/signing-keys/{selector}")
SIGNING_KEY_ACTIVATION = Route(of_tenant=f"{SIGNING_KEY.of_tenant}/activation")
SIGNING_KEY_RECORD = Route(of_tenant=f"{SIGNING_KEY.of_tenant}/record")
INBOUND_CONNECTORS = _part("inbound-connectors")
INBOUND_CONNECTOR = Route(of_tenant="/v1/tenants/{tenant}/inbound-connectors/{name}")
CONNECTOR_USE = _part("connector-use")
SEND_CONNECTORS = _part("send-connectors")
SEND_CONNECTOR = Route("/v1/send-connectors/{name:path}", "/v1/tenants/{tenant}/send-connectors/{name}")
"""In the operator's names there may be a `/`: tenant/name."""
AUDIT = _part("audit")
AUDITED_CHANGE = _part("audit", "/{version}")
