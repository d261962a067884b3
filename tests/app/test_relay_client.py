"""The relay's management interface, as the wizard asks it: silence and bad files are one line of the wizard's."""

import socket
from pathlib import Path

import pytest

from gatepost.app.relay_client import RelayClient
from gatepost.hybrid.errors import ApplyError, UnusableFile


def test_a_relay_that_does_not_answer_is_an_error_of_the_wizard(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("gp_0123_abc\n")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    client = RelayClient(f"https://127.0.0.1:{port}", tmp_path / "token", None)
    with pytest.raises(ApplyError, match=str(port)):
        client.request("GET", "/v1/whoami")
    client.close()


def test_files_that_cannot_be_used_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="token file"):
        RelayClient("https://127.0.0.1:1", tmp_path / "token", None)
    (tmp_path / "token").write_text("gp_0123_abc\n")
    with pytest.raises(UnusableFile, match="--relay-ca"):
        RelayClient("https://127.0.0.1:1", tmp_path / "token", tmp_path / "none.pem")
