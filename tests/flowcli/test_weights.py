from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from flowcli import weights
from flowcli.errors import WeightsError
from raft_core import checkpoint
from raft_core.raft import RAFT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", str(tmp_path))
    checkpoint.save(RAFT(), tmp_path / "mine.safetensors")
    return tmp_path


def test_weights_are_found_by_name_and_by_path(folder: Path) -> None:
    path = folder / "mine.safetensors"
    expected = weights.Weights("mine", path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert weights.find("mine") == expected
    assert weights.find(str(path)) == expected
    assert "mine" in weights.known_names()
    assert weights.load(expected).config.name == "raft-small"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["nothing", "", "a" * 5000, "mine/", "nul\0"])
def test_a_name_that_nothing_has_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match=r"^there are no weights called ") as refused:
        weights.find(name)
    assert "mine" in refused.value.hint
    assert refused.value.exit_code == 5


@pytest.mark.usefixtures("folder")
def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(WeightsError) as refused:
        weights.find("mien")
    assert refused.value.hint == "did you mean mine?"


def test_a_file_that_is_no_checkpoint_is_refused_as_weights(folder: Path) -> None:
    (folder / "page.pth").write_text("<html>")
    found = weights.find(str(folder / "page.pth"))
    with pytest.raises(WeightsError, match=r"is not a checkpoint at all") as refused:
        weights.load(found)
    assert refused.value.exit_code == 5
    found.path.unlink()
    with pytest.raises(WeightsError, match=r"is gone"):
        weights.load(found)


def test_a_file_that_may_not_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(WeightsError, match=r"cannot be read: permission denied$"):
        weights.find(str(folder / "mine.safetensors"))
