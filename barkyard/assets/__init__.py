"""Robots and scenes as factories of `mujoco.MjSpec`."""
