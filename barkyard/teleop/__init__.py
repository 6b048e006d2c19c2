"""People who act: devices that give commands, and the session that records what they do."""

from barkyard.teleop.command import EVENTS, Command, Device
from barkyard.teleop.intervention import InterventionWrapper
from barkyard.teleop.operator import Operator, ToolOperator
from barkyard.teleop.session import Session

__all__ = ["EVENTS", "Command", "Device", "InterventionWrapper", "Operator", "Session", "ToolOperator"]
