"""The directory that tests use keeps the contract of the real ones."""

import pytest

from contracts.directory_contract import Build, DirectoryContract, Holdings
from tenancy.memory_directory import MemoryDirectory


class TestMemoryDirectory(DirectoryContract):
    @pytest.fixture
    def build(self) -> Build:
        def of(holdings: Holdings) -> MemoryDirectory:
            return MemoryDirectory(
                holdings.tenant_objects, holdings.domains, holdings.connectors, holdings.send_connectors
            )

        return of
