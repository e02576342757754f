"""The demo clip: a turning fan, drawn in code, with its exact flow."""

from flowcli.media.demo_clip.clip import FAN_RATE, FanGroundTruth, fan_flow, fan_frames, fan_frames_at

__all__ = ["FAN_RATE", "FanGroundTruth", "fan_flow", "fan_frames", "fan_frames_at"]
