from pathlib import Path

import pytest

from pki import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A public key infrastructure that nobody here trusts."""
    return Pki(tmp_path_factory.mktemp("stranger"), "Stranger")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
