"""One HTTPS POST to a receiver that may be slow, hostile or away.

Laws: the receiver proves itself before anything is sent; a POST ends within `_LONGEST_S`, whatever the receiver does;
of the answer nothing but its status is read; a redirect is not followed; what goes wrong is one line, without the path
of the URL, which is often a secret.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from gatepost.errors import GatepostError

_LONGEST_S: Final = 15.0


class WebhookFailed(GatepostError):
    """Why nobody was told, in one line."""


async def post(url: str, body: bytes, headers: Mapping[str, str], roots: Path | None) -> None:
    """Return once the receiver has said 2xx. Raises `WebhookFailed`."""
    receiver = shown(url)
    try:
        async with (
            asyncio.timeout(_LONGEST_S),
            # A proxy of the environment is for browsing.
            httpx.AsyncClient(verify=_trust(roots), trust_env=False, timeout=_LONGEST_S) as client,
            client.stream("POST", url, content=body, headers=dict(headers)) as answer,
        ):
            status = answer.status_code
    except TimeoutError:
        raise WebhookFailed(f"{receiver} did not answer within {_LONGEST_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise WebhookFailed(f"{receiver} cannot be reached: {_why(error)}") from None
    if 300 <= status < 400:
        raise WebhookFailed(f"{receiver} redirects (HTTP {status}), which is not followed: configure the final URL")
    if not 200 <= status < 300:
        raise WebhookFailed(f"{receiver} answers HTTP {status}")


def shown(url: str) -> str:
    """As it may be logged."""
    parts = urlsplit(url)
    return f"https://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def _trust(roots: Path | None) -> ssl.SSLContext:
    try:
        trust = ssl.create_default_context(cafile=str(roots) if roots else None)
    except (OSError, ssl.SSLError) as error:
        raise WebhookFailed(f"{roots} cannot be used: {error.strerror or error}; roots must be a PEM file") from None
    # The receiver's own certificate in the file is enough.
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return trust


def _why(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
