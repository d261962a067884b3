"""The copy of a certificate that workers present in place of its files."""

from pathlib import Path

import pytest

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.installation import presented_folder
from gatepost.hybrid.presented_certificate import PresentedFiles
from hybrid.parts import Scene
from pki import Pki


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "edge")
    scene.pki = Pki(tmp_path / "pki")
    scene.install(scene.pki.leaf("mail.contoso.com"))
    return scene


def test_a_renewed_file_is_not_presented_before_it_is_kept(scene: Scene) -> None:
    pair = scene.request.pair
    files = PresentedFiles(presented_folder(scene.here.folder))
    assert files(*pair) == pair
    first = scene.here.presented.keep(*pair).leaf
    scene.install(scene.pki.leaf("smtp.contoso.com"))
    files.refresh()
    copy, key = files(*pair)
    assert copy == key != pair[0]
    copied = scene.here.presented.of(*pair)
    assert copied is not None and copied.leaf == first
    assert not scene.here.presented.is_in_use(*pair)
    scene.here.presented.keep(*pair)
    assert scene.here.presented.is_in_use(*pair)


def test_the_copy_is_for_the_server_alone(scene: Scene) -> None:
    scene.here.presented.keep(*scene.request.pair)
    (copy,) = presented_folder(scene.here.folder).iterdir()
    assert copy.stat().st_mode & 0o077 == 0


def test_files_the_wizard_does_not_answer_for_any_more_are_presented_themselves(scene: Scene) -> None:
    pair = scene.request.pair
    scene.here.presented.keep(*pair)
    scene.here.presented.keep_only(pair)
    assert scene.here.presented.of(*pair) is not None
    scene.here.presented.keep_only(None)
    assert scene.here.presented.of(*pair) is None


def test_a_certificate_without_its_key_never_replaces_the_copy(scene: Scene) -> None:
    pair = scene.request.pair
    first = scene.here.presented.keep(*pair).leaf
    Path(pair[0]).write_bytes(scene.pki.leaf("smtp.contoso.com").chain_file.read_bytes())
    with pytest.raises(UnusableFile, match="does not belong"):
        scene.here.presented.keep(*pair)
    copied = scene.here.presented.of(*pair)
    assert copied is not None and copied.leaf == first
