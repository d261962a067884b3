"""Certificates and roots of one worker are loaded again when their files change."""

from pathlib import Path
from typing import Any

from gatepost.app.intermediates import known_intermediates
from gatepost.app.setup import initialise
from gatepost.app.tls_files import TlsFiles
from gatepost.config import read
from pki import Pki


class Events:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: str, /, **fields: Any) -> None:
        self.told.append((event, fields))


def test_a_replaced_certificate_is_presented_and_a_broken_one_is_told(tmp_path: Path) -> None:
    file = tmp_path / "gatepost.toml"
    initialise(file, tmp_path / "data", "relay.example.net", None)
    config, events = read(file), Events()
    files = TlsFiles(config, events, known_intermediates(config))  # type: ignore[arg-type]
    (listener,) = config.listeners
    assert files.for_listener(listener, files.judge_for(listener)) is not None
    files.look()
    assert events.told == []
    renewed = Pki(tmp_path / "pki").leaf("relay.example.net")
    for name, source in (("server.key", renewed.key_file), ("server.pem", renewed.chain_file)):
        (tmp_path / name).write_bytes(source.read_bytes())
    files.look()
    assert [event for event, _ in events.told] == ["certificate-renewed"]
    assert events.told[0][1]["names"] == "relay.example.net"
    (tmp_path / "server.pem").write_text("half a file")
    files.look()
    assert events.told[-1][0] == "certificate-not-loaded"
    assert "server.pem" in events.told[-1][1]["problem"]
