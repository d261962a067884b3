"""An edge that is about to be set up, with a relay in memory and everything else real."""

from pathlib import Path

import pytest

from hybrid.parts import Scene
from pki import Issued, Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), organisation="Known Authority")


@pytest.fixture(scope="session")
def first(pki: Pki) -> Issued:
    return pki.leaf("mail.contoso.com")


@pytest.fixture(scope="session")
def renewed(pki: Pki) -> Issued:
    return pki.leaf("smtp.contoso.com")


@pytest.fixture
def scene(tmp_path: Path, first: Issued) -> Scene:
    scene = Scene(tmp_path / "edge")
    scene.install(first)
    return scene
