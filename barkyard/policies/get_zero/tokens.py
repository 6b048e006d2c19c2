"""What a joint's token is made of."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput
from barkyard.policies.get_zero.body import BodyTensors, Frames

POSITIONS = ("joint_pos", "joint_target")
"""Parts that are angles of the joints, or positions of sliding ones."""


@dataclass(frozen=True)
class Parts:
    """How an observation is dealt out.

    Attributes:
        joint: parts with one number a joint, in order.
        whole: the others, whose numbers every token has, with their lengths.
    """

    joint: tuple[str, ...]
    whole: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, observations: Mapping[str, tuple[int, ...]], body: Embodiment) -> "Parts":
        """Deal out named vectors; a part is of the joints if its name says so (see `Embodiment.limbs_of`).

        Raises:
            InvalidInput: a part is no vector, or there is no `joint_pos`.
        """
        if any(len(shape) != 1 for shape in observations.values()):
            raise InvalidInput(f"GET-Zero reads vectors; given: {dict(observations)}")
        count = len(body.joints)
        joint = [key for key, shape in observations.items() if _is_of_joints(key) and shape[0] == count]
        if "joint_pos" not in joint:
            raise InvalidInput(
                f"GET-Zero needs the part joint_pos with one number for each of the body's {count} joints; given: "
                f"{ {key: shape[0] for key, shape in observations.items()} }"
            )
        whole = tuple((key, shape[0]) for key, shape in observations.items() if key not in joint)
        return cls(tuple(joint), whole)

    def width(self, steps: int) -> int:
        """Numbers of a token that change."""
        return steps * (len(self.joint) + sum(size for _, size in self.whole))


def _is_of_joints(part: str) -> bool:
    return part.startswith("joint_") or part == "last_action"


def fixed_width(whole_tokens: bool) -> int:
    """Numbers of a token that do not change."""
    return 21 if whole_tokens else 6


def published_features(bodies: BodyTensors) -> Tensor:
    """`(B, J, 6)` a joint's place in its parent's frame [m], and Euler angles of its axis' frame [rad].

    URDF joints turn about fixed axes of their own frames; here a frame's z axis is turned to the joint's axis the
    shortest way.
    """
    x, y, z = bodies.axis.unbind(dim=-1)
    pitch = torch.atan2(x, torch.hypot(y, z))
    roll = torch.atan2(-y, z)
    return torch.cat([bodies.position, torch.stack([roll, pitch, torch.zeros_like(roll)], dim=-1)], dim=-1)


def whole_features(bodies: BodyTensors, home: Frames, limits: Tensor, is_last: Tensor, unit: float) -> Tensor:
    """`(B, J, 21)`: place and axis in the parent's frame and in the root's, the tip, the length, limits, kind.

    Args:
        bodies: as they are.
        home: their frames at zero angles.
        limits: `(B, J, 2)`.
        is_last: `(B, J)`.
        unit: of lengths [m].
    """
    reach = bodies.tip - bodies.position
    return torch.cat(
        [
            bodies.position / unit,
            bodies.axis,
            home.joints / unit,
            home.axes,
            reach / unit,
            reach.norm(dim=-1, keepdim=True) / unit,
            limits,
            bodies.slides[..., None],
            is_last[..., None],
            (bodies.parent < 0).to(reach.dtype)[..., None],
        ],
        dim=-1,
    )
