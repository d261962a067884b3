"""The two sides of a set-up, opened: the relay, and whatever sends to it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from gatepost.hybrid.apply import Side
from gatepost.hybrid.desire import EDGE, POSTFIX, RELAY
from gatepost.hybrid.errors import NotPossible
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.ports import RelayApi
from gatepost.hybrid.relay_token import note_token
from gatepost.hybrid.request import SetupRequest
from gatepost.hybrid.sides.edge import EdgeSide
from gatepost.hybrid.sides.postfix import PostfixSide
from gatepost.hybrid.sides.relay import RelaySide, Waiting


class WholeSide(Side, Protocol):
    def everything(self) -> dict[str, Fields]: ...


@contextmanager
def open_sides(
    here: Installation,
    request: SetupRequest,
    folder: Path,
    *,
    wait_s: float = 0.0,
    waiting: Callable[[Waiting], None] = lambda _: None,
) -> Iterator[tuple[Mapping[str, WholeSide], str]]:
    """Both sides, and the tenant that the token speaks for. `folder` is where files are backed up."""
    with closing(here.ports.relay(request)) as api:
        tenant = tenant_noting_token(here, api, request)
        relay = RelaySide(api, tenant, here.ports.clock, wait_s=wait_s, waiting=waiting)
        if request.postfix:
            postfix = PostfixSide(here.ports.run, request.config_directory, folder / "backup")
            yield {RELAY: relay, POSTFIX: postfix}, tenant
            return
        with closing(here.ports.directory()) as directory:
            yield {RELAY: relay, EDGE: EdgeSide(directory, here.ports.clock)}, tenant


def tenant_noting_token(here: Installation, api: RelayApi, request: SetupRequest) -> str:
    """The tenant that the token speaks for. Until when the token counts is noted for the forecast."""
    who = api.request("GET", "/v1/whoami").body
    note_token(here.folder, who)
    return _tenant(who, request)


def tenant_of(api: RelayApi, request: SetupRequest) -> str:
    return _tenant(api.request("GET", "/v1/whoami").body, request)


def _tenant(who: Mapping[str, Any], request: SetupRequest) -> str:
    if who["tenant"] is None and request.tenant is None:
        raise NotPossible(f"the token in {request.token_file} is an operator's: say for whom with --tenant T")
    if "write" not in who["scopes"]:
        raise NotPossible(
            f"the token in {request.token_file} may only read: ask the relay's operator for one that may write"
        )
    return str(who["tenant"] or request.tenant)
