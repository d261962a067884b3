"""What a device is asked; what its answer must hold is in test_passkey_pages and test_account_pages."""

import pytest

from gatepost.config import ConsoleConfig
from gatepost.console.passkeys import are_possible


@pytest.mark.parametrize(
    ("url", "possible"),
    [
        ("https://console.example:8444", True),
        ("https://localhost:8444", True),
        ("https://127.0.0.1:8444", False),
        ("https://[::1]:8444", False),
    ],
)
def test_they_are_for_a_name_and_not_for_an_address(url: str, possible: bool) -> None:
    assert are_possible(ConsoleConfig(host="127.0.0.1", port=8444, url=url)) is possible
