"""Real-to-sim calibration: from logs of a robot to parameters of its model, with what is uncertain about them."""

from barkyard.calibration.calibrate import CalibrateConfig, Outcome, calibrate, split
from barkyard.calibration.fit import FitConfig
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import PlantModel
from barkyard.calibration.unknowns import DEFAULT_QUANTITIES, Unknown, default_unknowns

__all__ = [
    "DEFAULT_QUANTITIES",
    "CalibrateConfig",
    "FitConfig",
    "Outcome",
    "PlantModel",
    "RobotLog",
    "Unknown",
    "calibrate",
    "default_unknowns",
    "split",
]
