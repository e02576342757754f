"""The RAFT weights that torchvision publishes: their names, checksums, sizes and accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from flowcli.errors import UsageError

HOST = "https://download.pytorch.org/models"
# torchvision's README: the weights "may have their own licenses or terms and conditions derived from the dataset".
LICENCE = "none stated: torchvision's code is BSD-3-Clause, and terms of the training data may apply"

CHAIRS_AND_THINGS = "FlyingChairs, FlyingThings3D"
SINTEL = f"{CHAIRS_AND_THINGS}, Sintel, KITTI, HD1K"
KITTI = f"{SINTEL}, then KITTI alone"


@dataclass(frozen=True)
class Published:
    """One published file. V1 was ported from princeton-vl/RAFT, V2 trained by torchvision.

    `sha256` is the prefix that the file's name contains; `accuracy` is torchvision's: EPE in px
    on Sintel clean / final, or Fl on KITTI.
    """

    name: str
    sha256: str
    megabytes: float
    trained_on: str
    accuracy: str

    @property
    def url(self) -> str:
        """The address of the file."""
        return f"{HOST}/{self.name}-{self.sha256}.pth"


PUBLISHED = {
    weights.name: weights
    for weights in (
        Published("raft_large_C_T_V1", "22a6c225", 21.1, CHAIRS_AND_THINGS, "Sintel train 1.44 / 2.79"),
        Published("raft_large_C_T_V2", "1bb1363a", 21.1, CHAIRS_AND_THINGS, "Sintel train 1.38 / 2.72"),
        Published("raft_large_C_T_SKHT_V1", "0b8c9e55", 21.1, SINTEL, "Sintel test 1.94 / 3.18"),
        Published("raft_large_C_T_SKHT_V2", "ff5fadd5", 21.1, SINTEL, "Sintel test 1.82 / 3.07"),
        Published("raft_large_C_T_SKHT_K_V1", "4a6a5039", 21.1, KITTI, "KITTI test Fl 5.10 %"),
        Published("raft_large_C_T_SKHT_K_V2", "b5c70766", 21.1, KITTI, "KITTI test Fl 5.19 %"),
        Published("raft_small_C_T_V1", "ad48884c", 4.0, CHAIRS_AND_THINGS, "Sintel train 2.12 / 3.28"),
        Published("raft_small_C_T_V2", "01064c6d", 4.0, CHAIRS_AND_THINGS, "Sintel train 1.99 / 3.28"),
    )
}


def choose(name: str) -> Published:
    """The published weights of this name; raises UsageError for an unknown one."""
    if name not in PUBLISHED:
        close = get_close_matches(name, PUBLISHED, n=1)
        hint = f"did you mean {close[0]}?" if close else f"use {', '.join(PUBLISHED)}"
        raise UsageError(f"{name} is not among the published weights", hint=hint)
    return PUBLISHED[name]
