"""Certificates that can be presented now."""

from datetime import timedelta

import pytest

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.usable import CLOCK_SKEW, usable_certificate, usable_credentials
from hybrid.parts import Scene


def test_one_in_its_time_is_usable_and_clocks_may_differ_a_little(scene: Scene) -> None:
    files, request = scene.here.ports.certificates, scene.request
    leaf = usable_certificate(files, request.files[0], scene.clock.now())
    assert leaf == usable_credentials(files, *request.files, scene.clock.now()).leaf
    assert leaf.not_before is not None and leaf.not_after is not None
    usable_certificate(files, request.files[0], leaf.not_before - CLOCK_SKEW)


def test_one_out_of_its_time_is_told_with_what_to_do(scene: Scene) -> None:
    files, certificate = scene.here.ports.certificates, scene.request.files[0]
    leaf = files.chain(certificate)[0]
    assert leaf.not_before is not None and leaf.not_after is not None
    with pytest.raises(UnusableFile, match=r"is not valid before .*: set the clock"):
        usable_certificate(files, certificate, leaf.not_before - CLOCK_SKEW - timedelta(seconds=1))
    with pytest.raises(UnusableFile, match=r"expired on .*; name the renewed one"):
        usable_certificate(files, certificate, leaf.not_after)
