"""The relay's management interface, as the wizard asks it over HTTPS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatepost.hybrid.errors import ApplyError, RelayRefused, UnusableFile
from gatepost.hybrid.ports import Answer
from gatepost.hybrid.relay_token import read_token
from gatepost.hybrid.sides.relay import refusal_text
from gatepost.net.api_client import ApiClient, ApiRefused, ApiUnreachable


class RelayClient:
    """`RelayApi` over HTTPS."""

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
            return self._client.request(method, path, body, headers)
        except ApiUnreachable as error:
            raise ApplyError(str(error)) from None
        except ApiRefused as error:
            text = refusal_text(self._url, self._token_file, error.status, error.code, error.says, error.do)
            if error.status >= 500:
                raise ApplyError(text) from None
            raise RelayRefused(text, error.status, error.code) from None

    def close(self) -> None:
        self._client.close()
