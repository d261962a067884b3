"""What several of the end-to-end tests stand on."""

from collections.abc import Iterator

import pytest

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation
from end_to_end.outside import Outside
from end_to_end.scene import Certificates, furnished
from sink import Sink


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as outside:
        yield outside


@pytest.fixture
def sink(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def furnished_relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    with furnished(tmp_path_factory.mktemp("relay"), certificates) as relay:
        yield relay


# Who speaks to the Management API of the module's `relay`.


@pytest.fixture(scope="module")
def contoso(relay: Installation) -> Iterator[Api]:
    with Api(relay, token_for(relay, "--tenant", "contoso")) as api:
        yield api


@pytest.fixture(scope="module")
def fabrikam(relay: Installation) -> Iterator[Api]:
    with Api(relay, token_for(relay, "--tenant", "fabrikam")) as api:
        yield api


@pytest.fixture(scope="module")
def operator(relay: Installation) -> Iterator[Api]:
    with Api(relay, token_for(relay, "--operator")) as api:
        yield api
