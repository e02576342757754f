from __future__ import annotations

import hashlib
from pathlib import Path

import platformdirs
import pytest

from flowcli.errors import WeightsError
from flowcli.model import weights
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
    assert weights.present()["mine"] == path
    assert weights.load(expected).config.name == "raft-small"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["nothing", "", "a" * 5000, "mine/", "nul\0"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match=r"^there are no weights called ") as refused:
        weights.find(name)
    assert "mine" in refused.value.hint
    assert refused.value.exit_code == 5


@pytest.mark.usefixtures("folder")
def test_a_misspelt_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(WeightsError) as refused:
        weights.find("mien")
    assert refused.value.hint == "did you mean mine?"


def test_a_file_that_is_no_checkpoint_is_refused(folder: Path) -> None:
    (folder / "page.pth").write_text("<html>")
    found = weights.find(str(folder / "page.pth"))
    with pytest.raises(WeightsError, match=r"is a web page, not a checkpoint$") as refused:
        weights.load(found)
    assert refused.value.exit_code == 5
    found.path.unlink()
    with pytest.raises(WeightsError, match=r"no longer exists"):
        weights.load(found)


def test_a_file_without_read_permission_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(WeightsError, match=r"cannot be read: permission denied$"):
        weights.find(str(folder / "mine.safetensors"))


def test_fetched_weights_are_found_by_name_and_others_are_offered(folder: Path) -> None:
    with pytest.raises(WeightsError) as refused:
        weights.find("raft_large_C_T_V2")
    assert str(refused.value) == "raft_large_C_T_V2 is not on this machine"
    assert refused.value.hint == "flowcli weights fetch raft_large_C_T_V2"
    (folder / "raft_large_C_T_V2.pth").write_bytes(b"anything")
    (folder / ".raft_large_C_T_V1.part.pth").write_bytes(b"half of it")
    assert weights.find("raft_large_C_T_V2").path == folder / "raft_large_C_T_V2.pth"
    assert not any("part" in name for name in weights.present())


def test_weights_are_stored_in_the_users_cache_or_the_environments_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", "elsewhere")
    assert weights.storage() == Path("elsewhere")
    monkeypatch.delenv("FLOWCLI_WEIGHTS_DIR")
    assert weights.storage() == platformdirs.user_cache_path("flowcli") / "weights"


def test_commands_have_one_default() -> None:
    from flowcli.inspection.request import InspectRequest
    from flowcli.pipeline.request import Request

    assert Request.weights == InspectRequest.weights == weights.DEFAULT
