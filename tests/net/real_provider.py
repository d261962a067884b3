"""A whole identity provider in a process of its own: oidc-provider-mock, which asks for no password."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx


@contextmanager
def real_provider(users: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Its issuer. `users`: claims by subject."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    claims = [f"--user-claims={json.dumps({'sub': sub, **said})}" for sub, said in users.items()]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *claims]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        while not _answers(issuer):
            assert process.poll() is None, "the provider ended"
            time.sleep(0.1)
        yield issuer
    finally:
        process.terminate()
        process.wait()


def _answers(issuer: str) -> bool:
    try:
        return httpx.get(f"{issuer}/.well-known/openid-configuration").status_code == 200
    except httpx.TransportError:
        return False
