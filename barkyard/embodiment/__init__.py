"""The body as data: limbs, joints and actuators of a robot as graphs, read from any compiled model."""

from barkyard.embodiment.embodiment import Embodiment
from barkyard.embodiment.graph import Graph
from barkyard.embodiment.parts import Actuator, Joint, Limb

__all__ = ["Actuator", "Embodiment", "Graph", "Joint", "Limb"]
