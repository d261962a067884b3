"""The server that the wizard runs on: what it calls itself, what the wizard remembers there, and its ports."""

from dataclasses import dataclass
from pathlib import Path

from gatepost.hybrid.errors import NothingApplied
from gatepost.hybrid.journal import Memory
from gatepost.hybrid.ports import Ports
from gatepost.hybrid.presented_certificate import PresentedCertificates
from gatepost.hybrid.request import SetupRequest, request_from


def presented_folder(folder: Path) -> Path:
    """Where in the wizard's `folder` the copies of certificates are."""
    return folder / "in-use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    hostname: str
    folder: Path
    """Of the wizard: `data/hybrid`."""
    ports: Ports

    @property
    def memory(self) -> Memory:
        return Memory(self.folder)

    @property
    def presented(self) -> PresentedCertificates:
        return PresentedCertificates(presented_folder(self.folder), self.ports.certificates)

    def last_request(self) -> SetupRequest:
        """What the last apply was asked for. Raises `NothingApplied`."""
        last = self.memory.last_finished()
        if last is None:
            raise NothingApplied(
                "nothing has been applied from here yet; start with: gatepost hybrid plan --relay https://HOST:PORT …"
            )
        return request_from(last.plan.request)
