"""What several of the end-to-end tests stand on."""

from collections.abc import Iterator

import pytest

from end_to_end.installation import Installation
from end_to_end.scene import Certificates, furnished


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def furnished_relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    with furnished(tmp_path_factory.mktemp("relay"), certificates) as relay:
        yield relay
