"""Progress bars."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

FREE = 3
"""The columns that bars leave free, for the `^C` that a terminal shows behind them."""


class Bar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm that is narrower than the terminal by `FREE` columns."""

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm draws the bar from."""
        drawn = super().format_dict
        return {**drawn, "ncols": drawn["ncols"] and drawn["ncols"] - FREE}
