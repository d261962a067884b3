"""What the use cases of `admin` ask of the outside world, as adapters answer it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.operation import Here
from gatepost.admin.directory.send_connectors import CredentialVerdict
from gatepost.admin.directory.verification import TxtLookup
from gatepost.admin.forecast.forecast import HORIZON
from gatepost.admin.sessions.explain import Relay
from gatepost.admin.sessions.question import CERTIFICATE
from gatepost.app import open_judge, open_seen_servers, relay_at
from gatepost.config import Config
from gatepost.errors import BadRequest
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.fields import Record
from gatepost.tenancy.reach import Reach

if TYPE_CHECKING:
    from gatepost.net.intermediates import KnownIntermediates
    from gatepost.net.judgement import Judge


def check_credentials(certificate: Path, key: Path) -> CredentialVerdict:
    from gatepost.net.certificates import CredentialError
    from gatepost.net.credentials import load_credentials

    try:
        loaded = load_credentials(certificate, key)
        return CredentialVerdict(warnings=(*loaded.warnings, *_ends_soon(loaded.leaf, certificate)))
    except CredentialError as error:
        return CredentialVerdict(problem=str(error))


def _ends_soon(leaf: CertificateFacts, file: Path) -> tuple[str, ...]:
    now = datetime.now(UTC)
    if leaf.not_after is None or leaf.not_after - now > HORIZON:
        return ()
    verb = "expired" if leaf.not_after <= now else "expires"
    return (f"certificate {file} ({', '.join(leaf.names) or leaf.subject}) {verb} {leaf.not_after:%Y-%m-%d %H:%M} UTC",)


def txt_lookup(config: Config) -> TxtLookup:
    from gatepost.net.dns import Resolver

    return Resolver(config.dns.nameservers)


def every_name_server(config: Config) -> TxtLookup:
    from gatepost.net.dns import Resolver
    from gatepost.net.every_name_server import EveryNameServer

    return EveryNameServer(Resolver(config.dns.nameservers), name_servers_within_reach(config))


def name_servers_within_reach(config: Config) -> Callable[[str], bool]:
    """Whether a name server may be asked that a tenant's zone names."""
    from gatepost.net.own_addresses import is_own_address

    delivery = config.delivery
    reach = Reach(allowed=delivery.allow_internal, internal=delivery.internal_networks, is_own=is_own_address)
    return lambda address: reach.kind_of(address) is None


def certificate_facts(der: bytes) -> CertificateFacts:
    from gatepost.net.certificates import facts

    return facts(der)


def chain_in(pem: str) -> tuple[CertificateFacts, ...]:
    """Raises `BadRequest`."""
    from gatepost.net.certificates import CredentialError, read_chain

    try:
        return read_chain(pem.encode())
    except CredentialError as error:
        raise BadRequest(CERTIFICATE, f": {error}") from None


def this_machine(config: Config, editor: DirectoryEditor) -> Here:
    source: Record = {"server": config.hostname, "protocol_log_folder": str(config.send_log_folder.absolute())}
    return Here(
        editor=editor,
        check=check_credentials,
        hostname=config.hostname,
        lookup=txt_lookup(config),
        every_name_server=every_name_server(config),
        source_servers=[source],
        seen=open_seen_servers(config),
    )


class Judging:
    """The relay as each of its listeners judges, for a process that is asked again and again."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._judges: dict[str, Judge] = {}
        self._one_at_a_time = Lock()

    def _known_intermediates(self) -> "KnownIntermediates":
        from gatepost.app.intermediates import known_intermediates

        return known_intermediates(self._config)

    @contextmanager
    def relay(self, listener: str, directory: Directory) -> Iterator[Relay]:
        """As the listener of that name does; as the first, where there is none of that name any more."""
        listeners = self._config.listeners
        found = next((each for each in listeners if each.name == listener), listeners[0])
        with self._one_at_a_time:
            judge = self._judges.get(found.name)
            if judge is None:
                judge = open_judge(self._config, found, self._known_intermediates())
                self._judges[found.name] = judge
            judge.refresh()
            yield relay_at(self._config, found, directory, judge)
