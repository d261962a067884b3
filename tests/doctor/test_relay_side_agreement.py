"""Law 5: one folder, four commands, one verdict, and repairs after which the relay takes the session."""

import pytest

from doctor.agreement import Authority, contradictions, made
from soak import rounds


@pytest.mark.timeout(rounds(120, large=1800))
@pytest.mark.soak
def test_four_commands_agree_on_generated_folders(tmp_path):
    authority = Authority(tmp_path / "pki")
    found = {}
    for seed in range(rounds(12, large=200)):
        case = made(seed, tmp_path / f"folder{seed}", authority)
        if said := list(contradictions(case, authority)):
            found[seed] = said
    assert not found
