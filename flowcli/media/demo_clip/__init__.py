"""A clip that needs no file: a turning fan, painted in code, whose exact flow is known."""

from flowcli.media.demo_clip.clip import FAN_RATE, FanTruth, fan_flow, fan_frames

__all__ = ["FAN_RATE", "FanTruth", "fan_flow", "fan_frames"]
