"""Every dialogue file, run against the bare machine however it is cut."""

import pytest

from smtp.dialogue import CUTS, Dialogue, MachineWire, all_dialogues, play


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("dialogue", all_dialogues(), ids=lambda dialogue: dialogue.name)
def test_the_machine_keeps_to_the_dialogue(dialogue: Dialogue, cut: str) -> None:
    wire = MachineWire.to(dialogue, CUTS[cut])
    play(dialogue, wire)
    assert wire.unread() == [], "the server said more than the dialogue expects"
