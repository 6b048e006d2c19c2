"""Bodies as arrays over joints: distances for the attention, fixed features for the tokens, and forward kinematics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointBody:
    """One body with J joints.

    Joint i moves its link from a frame that is fixed to its parent joint's link; in that frame are its place and axis.

    Attributes:
        parent: `(J,)` number of the joint that carries it; -1 for the root. Parents come first.
        offset, turn: `(J, 3)` and `(J, 3, 3)` that frame in the frame of the parent joint [m].
        position, axis: `(J, 3)` in that frame [m].
        slides: `(J,)` 1 for a sliding joint, 0 for a hinge.
        tip: `(J, 3)` of the link, in the frame that the joint moves [m].
        limits: `(J, 2)` lowest and highest angle; -pi and pi where there are none.
        lengths: `(J,)` of the link [m].
        is_last: `(J,)` 1 where no joint hangs from the link.
        hop, ancestor, descendant: `(J, J)`; see `embodiment.Graph`.
        order: `(J,)` place in depth-first order.
    """

    parent: NDArray[np.int64]
    offset: Array
    turn: Array
    position: Array
    axis: Array
    slides: Array
    tip: Array
    limits: Array
    lengths: Array
    is_last: Array
    hop: NDArray[np.int64]
    ancestor: NDArray[np.int64]
    descendant: NDArray[np.int64]
    order: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.parent)


def read_body(body: Embodiment) -> JointBody:
    """The joints of an embodiment. Computed once for each body.

    Raises:
        InvalidInput: it has no joints, a ball joint, or not one actuator for each joint in the same order.
    """
    return _read_body(_Hashable(body))


class _Hashable:
    """An embodiment as a key."""

    def __init__(self, body: Embodiment) -> None:
        self.body, self._key = body, body.fingerprint

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashable) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=1024)
def _read_body(key: _Hashable) -> JointBody:
    body = key.body
    _check(body)
    frames, links = [], []
    for joint in body.joints:
        above = body.joints[joint.parent] if joint.parent >= 0 else None
        same = above is None or above.limb == joint.limb or body.limbs[joint.limb].parent == 0
        frames.append((np.eye(3), np.zeros(3)) if same else _pose(body, body.limbs[joint.limb].parent))
        turn, place = (np.eye(3), np.zeros(3)) if joint.limb == 0 else _pose(body, joint.limb)
        links.append(place + turn @ np.array(body.limbs[joint.limb].tip))
    graph, parents = body.joint_graph, [joint.parent for joint in body.joints]
    return JointBody(
        parent=np.array(parents),
        offset=np.array([place for _, place in frames]),
        turn=np.array([turn for turn, _ in frames]),
        position=np.array([joint.position for joint in body.joints]),
        axis=np.array([joint.axis for joint in body.joints]),
        slides=np.array([float(joint.kind == "slide") for joint in body.joints]),
        tip=np.array(links),
        limits=np.array([joint.limits or (-np.pi, np.pi) for joint in body.joints]),
        lengths=np.array([body.limbs[joint.limb].length for joint in body.joints]),
        is_last=np.array([float(i not in parents) for i in range(len(parents))]),
        hop=graph.hop,
        ancestor=graph.ancestor,
        descendant=graph.descendant,
        order=_depth_first(parents),
    )


def _check(body: Embodiment) -> None:
    kinds = {joint.kind for joint in body.joints}
    if not body.joints or "ball" in kinds:
        raise InvalidInput(
            f"GET-Zero needs hinges or sliding joints; this body has {', '.join(sorted(kinds)) or 'none'}"
        )
    driven = [actuator.joints for actuator in body.actuators]
    if driven != [(i,) for i in range(len(body.joints))]:
        raise InvalidInput(
            f"GET-Zero commands each joint by itself, in the joints' order; the actuators drive the joints {driven}"
        )


def _pose(body: Embodiment, limb: int) -> tuple[Array, Array]:
    """Rotation and place of a limb in the limb it hangs from, at the reference pose."""
    return _matrix(np.array(body.limbs[limb].orientation)), np.array(body.limbs[limb].position)


def _matrix(quat: Array) -> Array:
    w, x, y, z = quat
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _depth_first(parents: Sequence[int]) -> NDArray[np.int64]:
    order, stack = np.zeros(len(parents), dtype=np.int64), [i for i, p in enumerate(parents) if p < 0][::-1]
    for place in range(len(parents)):
        joint = stack.pop()
        order[joint] = place
        stack.extend([i for i, parent in enumerate(parents) if parent == joint][::-1])
    return order


@dataclass(frozen=True)
class Frames:
    """Where the joints of bodies are in the frames of their roots.

    Attributes:
        joints: `(B, J, 3)` places of the joints [m].
        axes: `(B, J, 3)` their axes.
        tips: `(B, J, 3)` tips of their links [m].
    """

    joints: Tensor
    axes: Tensor
    tips: Tensor


@dataclass(frozen=True)
class BodyTensors:
    """Bodies side by side, `(B, J, ...)`: as `JointBody`, padded with joints that nothing hangs from."""

    parent: Tensor
    offset: Tensor
    turn: Tensor
    position: Tensor
    axis: Tensor
    slides: Tensor
    tip: Tensor

    def take(self, bodies: Tensor) -> "BodyTensors":
        """Rows `(N,)` of it."""
        return BodyTensors(*(getattr(self, name)[bodies] for name in self.__dataclass_fields__))

    def stretched(self, factors: Tensor) -> "BodyTensors":
        """With every link longer by its `(B, J)` factor."""
        above = self.parent.clamp(min=0)
        carried = torch.where(self.parent >= 0, factors.gather(1, above), torch.ones_like(factors))
        before = torch.where(self.parent >= 0, carried.gather(1, above), torch.ones_like(factors))
        position = self.position * carried[..., None]
        return replace(
            self,
            offset=self.offset * before[..., None],
            position=position,
            tip=position + (self.tip - self.position) * factors[..., None],
        )

    def forward_kinematics(self, angles: Tensor) -> Frames:
        """Where everything is at `(B, J)` joint angles [rad], or positions of sliding joints [m]."""
        batch, joints = angles.shape
        rotation = [torch.eye(3, dtype=angles.dtype, device=angles.device).expand(batch, 3, 3)]
        place = [torch.zeros(batch, 3, dtype=angles.dtype, device=angles.device)]
        rows, found = torch.arange(batch, device=angles.device), []
        for joint in range(joints):
            above = self.parent[:, joint] + 1
            if bool((above == above[0]).all()):
                carrier, origin = rotation[int(above[0])], place[int(above[0])]
            else:
                carrier, origin = torch.stack(rotation, 1)[rows, above], torch.stack(place, 1)[rows, above]
            origin = origin + _turned(carrier, self.offset[:, joint])
            carrier = carrier @ self.turn[:, joint]
            at, axis = self.position[:, joint], self.axis[:, joint]
            slides = self.slides[:, joint, None]
            angle = angles[:, joint, None]
            turn = _rotation(axis, angle * (1 - slides))
            anchor, along = origin + _turned(carrier, at), _turned(carrier, axis)
            after = carrier @ turn
            moved = anchor + along * angle * slides - _turned(after, at)
            rotation.append(after)
            place.append(moved)
            found.append((anchor, along, moved + _turned(after, self.tip[:, joint])))
        anchors, axes, tips = (torch.stack([row[i] for row in found], dim=1) for i in range(3))
        return Frames(anchors, axes, tips)


def _turned(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]


def _rotation(axis: Tensor, angle: Tensor) -> Tensor:
    """Rodrigues' formula for `(B, 3)` axes and `(B, 1)` angles."""
    x, y, z = axis.unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(-1, 3, 3)
    sine, rest = torch.sin(angle)[..., None], (1 - torch.cos(angle))[..., None]
    return torch.eye(3, dtype=axis.dtype, device=axis.device) + sine * cross + rest * (cross @ cross)


def stack_bodies(bodies: Sequence[JointBody], joints: int) -> BodyTensors:
    """Bodies of up to `joints` joints side by side."""

    def padded(name: str, fill: float, dtype: torch.dtype) -> Tensor:
        rows = []
        for body in bodies:
            values = torch.from_numpy(np.asarray(getattr(body, name))).to(dtype)
            row = torch.full((joints, *values.shape[1:]), fill, dtype=dtype)
            row[: len(body)] = values
            rows.append(row)
        return torch.stack(rows)

    turns = padded("turn", 0.0, torch.float32)
    for row, body in enumerate(bodies):
        turns[row, len(body) :] = torch.eye(3)
    floats = {name: padded(name, 0.0, torch.float32) for name in ("offset", "position", "axis", "slides", "tip")}
    return BodyTensors(parent=padded("parent", -1, torch.int64), turn=turns, **floats)
