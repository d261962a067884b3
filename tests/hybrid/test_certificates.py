"""Certificates of this server, side by side."""

from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.hybrid import certificates, setup
from gatepost.hybrid.errors import UnusableFile
from hybrid.parts import Quiet, Scene, applied
from pki import Issued, Pki


def test_certificates_are_compared_with_what_the_relay_asks_for(scene: Scene, first: Issued, renewed: Issued) -> None:
    applied(scene)
    scene.here = replace(scene.here)
    files, now = scene.here.ports.certificates, scene.clock.now()
    found = certificates.compare(files, scene.here, [first.chain_file, renewed.chain_file], [first.key_file], now)
    assert found.notes == ()
    by_file = {choice.file: choice for choice in found.choices}
    assert by_file[str(first.chain_file)].key_file == str(first.key_file)
    assert by_file[str(renewed.chain_file)].key_file != str(first.key_file)


def test_without_a_set_up_the_relay_is_not_asked(scene: Scene, first: Issued, tmp_path: Path) -> None:
    files, now = scene.here.ports.certificates, scene.clock.now()
    found = certificates.compare(files, scene.here, [first.chain_file], [first.key_file], now)
    assert [note for note in found.notes if "no relay was set up" in note]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UnusableFile, match="no certificate in"):
        certificates.compare(files, None, [tmp_path / "nothing"], [], now)


def test_the_root_that_the_relay_trusts_may_be_named_and_is_remembered(
    scene: Scene, pki: Pki, first: Issued, tmp_path: Path
) -> None:
    files, now, chain = scene.here.ports.certificates, scene.clock.now(), [first.chain_file]
    (untrusted,) = certificates.compare(files, scene.here, chain, [first.key_file], now).choices
    assert not untrusted.chain_complete
    root = [pki.roots_file]
    (named,) = certificates.compare(files, scene.here, chain, [first.key_file], now, root).choices
    assert named.usable
    request = replace(scene.request, trust_anchors=tuple(root))
    setup.apply_plan(scene.here, setup.plan(scene.here, request), Quiet(), wait_s=0)
    (remembered,) = certificates.compare(files, scene.here, chain, [first.key_file], now).choices
    assert remembered.usable and remembered.satisfies == ("edge.contoso.com",)
