"""The relay's management interface as the wizard asks it: its "no" and its silence become one line with a next step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatepost.errors import GatepostError
from gatepost.hybrid.apply import Trouble
from gatepost.hybrid.relay_side import Answer, Refused
from gatepost.net.api_client import ApiClient, ApiRefused, ApiUnreachable


class UnusableFile(GatepostError):
    """A file that was named cannot be used; one line."""


def read_token(file: Path) -> str:
    """Raises `UnusableFile`."""
    try:
        token = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UnusableFile(
            f"token file {file} cannot be read: {why}; the relay's operator makes one with: gatepost token add "
            "--tenant T --out FILE"
        ) from None
    if not token or len(token.split()) != 1:
        raise UnusableFile(f"token file {file} does not hold one token; it is what gatepost token add --out wrote")
    return token


class RelayApi:
    def __init__(self, url: str, token_file: Path, authority: Path | None) -> None:
        """Raises `UnusableFile`."""
        self._token_file = token_file
        self._url = url
        if authority is not None and not authority.is_file():
            raise UnusableFile(
                f"--relay-ca {authority} cannot be read; it is the relay's certificate, or its authority's, as PEM"
            )
        self._client = ApiClient(url, read_token(token_file), authority)

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        try:
            answer: Answer = self._client.request(method, path, body, headers)
        except ApiUnreachable as error:
            raise Trouble(str(error)) from None
        except ApiRefused as error:
            if error.status >= 500:
                raise Trouble(self._told(error)) from None
            raise Refused(self._told(error), error.status, error.code) from None
        return answer

    def _told(self, error: ApiRefused) -> str:
        if error.status == 401:
            return (
                f"{self._url} does not accept the token in {self._token_file} ({error.code}): ask the relay's operator "
                "for a new one: gatepost token add --tenant T --out FILE"
            )
        if error.status == 412:
            return (
                f"somebody else changed this at the relay at the same moment ({error.says}); look at what they did, "
                "then make a new plan: gatepost hybrid plan"
            )
        return f"the relay says: {error.says}" + (f"; {error.do}" if error.do else "")

    def close(self) -> None:
        self._client.close()
