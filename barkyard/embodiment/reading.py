"""Limbs, joints and actuators from a compiled model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.embodiment.parts import Actuator, Joint, Limb, Vector
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

DECIMALS = 6
"""Numbers are rounded to this many places, so that a fingerprint does not hang on the last bit."""
_FREE = int(mujoco.mjtJoint.mjJNT_FREE)
_KINDS = {
    int(mujoco.mjtJoint.mjJNT_BALL): "ball",
    int(mujoco.mjtJoint.mjJNT_SLIDE): "slide",
    int(mujoco.mjtJoint.mjJNT_HINGE): "hinge",
}
_TRN = mujoco.mjtTrn
_JOINT_LIKE = (int(_TRN.mjTRN_JOINT), int(_TRN.mjTRN_JOINTINPARENT))
_WRAP_JOINT, _WRAP_SITE = int(mujoco.mjtWrap.mjWRAP_JOINT), int(mujoco.mjtWrap.mjWRAP_SITE)


@dataclass(frozen=True)
class _Drive:
    """What one actuator does: the joints it moves, with coefficients or none, or the body it acts on."""

    transmission: str
    joints: dict[int, float | None] = field(default_factory=dict)
    body: int = -1


class ModelReader:
    """Reads the part of a model that hangs from one body.

    Attributes:
        root: that body.
        limbs: the root first, then in the model's order, parents before children.
        joints: in the model's order.
        actuators: in the model's order.
    """

    def __init__(self, model: mujoco.MjModel, root: str | None) -> None:
        self.model = model
        drives = [self._drive(actuator) for actuator in range(model.nu)]
        driven = {joint for drive in drives for joint in drive.joints if model.jnt_type[joint] != _FREE}
        self.root = self._find_root(root, driven)
        inside = self._subtree()
        self._driven = sorted(joint for joint in driven if model.jnt_bodyid[joint] in inside)
        self._bodies = [self.root, *sorted({int(model.jnt_bodyid[joint]) for joint in self._driven} - {self.root})]
        number = {body: i for i, body in enumerate(self._bodies)}
        self.limb_of: dict[int, int] = {}
        for body in inside:
            self.limb_of[body] = number[body] if body in number else self.limb_of[int(model.body_parentid[body])]
        self._joint_number = {joint: i for i, joint in enumerate(self._driven)}
        self.joints = self._read_joints()
        self.limbs = [self._limb(i) for i in range(len(self._bodies))]
        self.actuators = [made for i, drive in enumerate(drives) if (made := self._actuator(i, drive)) is not None]

    def _find_root(self, name: str | None, driven: Iterable[int]) -> int:
        model = self.model
        if name is not None:
            found = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, name)
            if found < 0:
                names = [_name(model, mujoco.mjtObj.mjOBJ_BODY, i) for i in range(model.nbody)]
                raise InvalidInput(f"the model has no body {name!r} to be the root; it has {', '.join(names)}")
            return int(found)
        tops = {self._top(int(model.jnt_bodyid[joint])) for joint in driven}
        return tops.pop() if len(tops) == 1 else 0

    def _top(self, body: int) -> int:
        while self.model.body_parentid[body]:
            body = int(self.model.body_parentid[body])
        return body

    def _subtree(self) -> list[int]:
        """The root and what hangs from it, parents first."""
        inside = [self.root]
        for body in range(self.root + 1, self.model.nbody):
            if int(self.model.body_parentid[body]) in inside:
                inside.append(body)
        return inside

    def _drive(self, actuator: int) -> _Drive:
        model = self.model
        kind, (first, second) = int(model.actuator_trntype[actuator]), model.actuator_trnid[actuator].tolist()
        gear = float(model.actuator_gear[actuator, 0])
        if kind in _JOINT_LIKE:
            hinged = model.jnt_type[first] not in (_FREE, int(mujoco.mjtJoint.mjJNT_BALL))
            return _Drive("joint", {first: gear if hinged else None}, int(model.jnt_bodyid[first]))
        if kind == int(_TRN.mjTRN_TENDON):
            return _Drive("tendon", self._tendon(first, gear))
        if kind == int(_TRN.mjTRN_SLIDERCRANK):
            crank, slider = int(model.site_bodyid[first]), int(model.site_bodyid[second])
            return _Drive("slider_crank", dict.fromkeys(self._between(crank, slider)), crank)
        if kind == int(_TRN.mjTRN_SITE):
            body = int(model.site_bodyid[first])
            joints = self._between(body, int(model.site_bodyid[second])) if second >= 0 else []
            return _Drive("site", dict.fromkeys(joints), body)
        return _Drive("body", {}, first)

    def _tendon(self, tendon: int, gear: float) -> dict[int, float | None]:
        model, joints = self.model, dict[int, float | None]()
        start, before = int(model.tendon_adr[tendon]), -1
        for wrap in range(start, start + int(model.tendon_num[tendon])):
            kind, target = int(model.wrap_type[wrap]), int(model.wrap_objid[wrap])
            if kind == _WRAP_JOINT:
                joints[target] = gear * float(model.wrap_prm[wrap])
            elif kind == _WRAP_SITE:
                body = int(model.site_bodyid[target])
                if before >= 0:
                    joints |= dict.fromkeys(self._between(before, body))
                before = body
        return dict(sorted(joints.items()))

    def _between(self, first: int, second: int) -> list[int]:
        """Joints that move one body against the other."""
        up, down = self._line(first), self._line(second)
        bodies = set(up) ^ set(down)
        return [joint for joint in range(self.model.njnt) if int(self.model.jnt_bodyid[joint]) in bodies]

    def _line(self, body: int) -> list[int]:
        line = []
        while body:
            line.append(body)
            body = int(self.model.body_parentid[body])
        return line

    def _read_joints(self) -> list[Joint]:
        model, last = self.model, dict[int, int]()
        joints: list[Joint] = []
        for number, joint in enumerate(self._driven):
            body = int(model.jnt_bodyid[joint])
            limb = self.limb_of[body]
            parent, above = last.get(limb, -1), body
            while parent < 0 and above != self.root:
                above = int(model.body_parentid[above])
                parent = last.get(self.limb_of[above], -1)
            last[limb] = number
            position, turn = self._pose(body) if body != self.root else (np.zeros(3), np.eye(3))
            limited = bool(model.jnt_limited[joint])
            low, high = _rounded(model.jnt_range[joint])
            joints.append(
                Joint(
                    _name(model, mujoco.mjtObj.mjOBJ_JOINT, joint),
                    _KINDS[int(model.jnt_type[joint])],
                    limb,
                    parent,
                    _vector(position + turn @ model.jnt_pos[joint]),
                    _vector(turn @ model.jnt_axis[joint]),
                    (low, high) if limited else None,
                )
            )
        return joints

    def _pose(self, body: int, above: int | None = None) -> tuple[Array, Array]:
        """Position and rotation of a body's frame in that of the limb above it, or of the body `above`."""
        model = self.model
        position, turn = np.zeros(3), np.eye(3)
        stop = self._above(body) if above is None else above
        while body != stop:
            outer = _matrix(model.body_quat[body])
            position, turn = model.body_pos[body] + outer @ position, outer @ turn
            body = int(model.body_parentid[body])
        return position, turn

    def _above(self, body: int) -> int:
        return self._bodies[self.limb_of[int(self.model.body_parentid[body])]]

    def _limb(self, number: int) -> Limb:
        model, body = self.model, self._bodies[number]
        bodies = [each for each, limb in self.limb_of.items() if limb == number]
        parent = -1 if body == self.root else self.limb_of[int(model.body_parentid[body])]
        position, turn = self._pose(body) if parent >= 0 else (np.zeros(3), np.eye(3))
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, turn.ravel())
        first = next((joint for joint in self._driven if model.jnt_bodyid[joint] == body), None)
        origin = np.zeros(3) if first is None or body == self.root else model.jnt_pos[first]
        tip = self._tip(body, bodies, origin)
        passive = [
            _name(model, mujoco.mjtObj.mjOBJ_JOINT, joint)
            for joint in range(model.njnt)
            if int(model.jnt_bodyid[joint]) in bodies and joint not in self._joint_number
        ]
        w, x, y, z = _rounded(quaternion)
        return Limb(
            _name(model, mujoco.mjtObj.mjOBJ_BODY, body),
            parent,
            _vector(position),
            (w, x, y, z),
            _vector(tip),
            _rounded([float(np.linalg.norm(tip - origin))])[0],
            tuple(_name(model, mujoco.mjtObj.mjOBJ_BODY, each) for each in bodies),
            tuple(passive),
        )

    def _tip(self, body: int, bodies: Sequence[int], origin: Array) -> Array:
        """The far end of a limb in its own frame; see `Limb.tip`."""
        model = self.model
        children = [each for each in self._bodies if each != self.root and self._above(each) == body]
        if children:
            return np.mean([self._pose(child)[0] for child in children], axis=0)
        points = [origin]
        for geom in range(model.ngeom):
            owner = int(model.geom_bodyid[geom])
            if owner in bodies and (model.geom_contype[geom] or model.geom_conaffinity[geom]):
                position, turn = self._pose(owner, body)
                center, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
                faces = center + np.concatenate([np.diag(half), -np.diag(half)])
                inner = model.geom_pos[geom] + faces @ _matrix(model.geom_quat[geom]).T
                points.extend(position + inner @ turn.T)
        distances = np.round(np.linalg.norm(np.array(points) - origin, axis=1), DECIMALS)
        return np.asarray(points[int(np.argmax(distances))])

    def _actuator(self, number: int, drive: _Drive) -> Actuator | None:
        """None for an actuator of another robot."""
        ours = {
            self._joint_number[joint]: weight for joint, weight in drive.joints.items() if joint in self._joint_number
        }
        if not ours and drive.body not in self.limb_of:
            return None
        joints = tuple(sorted(ours))
        weights = [ours[joint] for joint in joints]
        known = [weight for weight in weights if weight is not None]
        return Actuator(
            _name(self.model, mujoco.mjtObj.mjOBJ_ACTUATOR, number),
            drive.transmission,
            self.joints[joints[0]].limb if joints else self.limb_of[drive.body],
            joints,
            tuple(_rounded(known)) if len(known) == len(weights) else (),
        )


def _name(model: mujoco.MjModel, kind: mujoco.mjtObj, number: int) -> str:
    word = kind.name.removeprefix("mjOBJ_").lower()
    return mujoco.mj_id2name(model, kind, number) or f"{word}{number}"


def _matrix(quaternion: Array) -> Array:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), DECIMALS) + 0.0 for value in values]


def _vector(values: Array) -> Vector:
    x, y, z = _rounded(values)
    return (x, y, z)
