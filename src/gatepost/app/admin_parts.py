"""What the use cases of `admin` ask of the outside world, as adapters answer it."""

from pathlib import Path

from gatepost.admin.send_connectors import CredentialVerdict
from gatepost.admin.verification import TxtLookup
from gatepost.config import Config


def check_credentials(certificate: Path, key: Path) -> CredentialVerdict:
    from gatepost.net.certificates import CredentialError
    from gatepost.net.credentials import load_credentials

    try:
        return CredentialVerdict(warnings=load_credentials(certificate, key).warnings)
    except CredentialError as error:
        return CredentialVerdict(problem=str(error))


def txt_lookup(config: Config) -> TxtLookup:
    from gatepost.net.dns import Resolver

    return Resolver(config.nameservers)
