"""What a body is, as a policy needs to know it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import mujoco

from barkyard import provenance
from barkyard.embodiment.graph import Graph
from barkyard.embodiment.parts import Actuator, Joint, Limb
from barkyard.embodiment.reading import ModelReader
from barkyard.errors import InvalidInput

SCHEMA = 1
JOINT, ACTION = "joint", "action"
"""Signals that every embodiment has: one number a joint, and one an actuator, each in their order."""


@dataclass(frozen=True)
class Embodiment:
    """A robot's limbs, joints and actuators. Geometry only: no masses, gains or friction, which may be randomised.

    Attributes:
        limbs: the nodes of the body's graph: the root first, parents before children.
        joints: the actuated joints, in the model's order.
        actuators: in the model's order.
        floating: whether the root moves freely.
        signals: for each kind of named number, the limb of each of its elements. An observation part `joint_pos` holds
            the signal `joint`, and `last_action` the signal `action`; see `limbs_of`.
    """

    limbs: tuple[Limb, ...]
    joints: tuple[Joint, ...]
    actuators: tuple[Actuator, ...]
    floating: bool
    signals: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def from_model(cls, model: mujoco.MjModel, root: str | None = None) -> "Embodiment":
        """Read the body that hangs from `root`.

        A joint is actuated if an actuator drives it, be it through a tendon, a slider or a site with a reference.
        Bodies that no actuated joint moves belong to the limb they are carried by, and so do passive joints.

        Args:
            model: the compiled model, with whatever else is in the scene.
            root: a body. By default the world's child that carries every actuated joint; where these are spread over
                several (two arms on pedestals), the world itself.

        Raises:
            InvalidInput: there is no such body.
        """
        reader = ModelReader(model, root)
        joints = model.body_jntadr[reader.root], model.body_jntnum[reader.root]
        floating = joints[1] > 0 and int(model.jnt_type[joints[0]]) == int(mujoco.mjtJoint.mjJNT_FREE)
        signals = {
            JOINT: tuple(joint.limb for joint in reader.joints),
            ACTION: tuple(actuator.limb for actuator in reader.actuators),
        }
        return cls(tuple(reader.limbs), tuple(reader.joints), tuple(reader.actuators), bool(floating), signals)

    def with_signals(self, signals: Mapping[str, Sequence[int]]) -> "Embodiment":
        """A copy with signals added or replaced. Raises InvalidInput if a limb's number is out of range."""
        for name, limbs in signals.items():
            wrong = [limb for limb in limbs if not 0 <= limb < len(self.limbs)]
            if wrong:
                raise InvalidInput(f"signal {name!r} names limb {wrong[0]}; valid: 0 to {len(self.limbs) - 1}")
        return replace(self, signals={**self.signals, **{name: tuple(limbs) for name, limbs in signals.items()}})

    @cached_property
    def limb_graph(self) -> Graph:
        """The tree over limbs."""
        return Graph.of_tree([limb.parent for limb in self.limbs])

    @cached_property
    def joint_graph(self) -> Graph:
        """The graph over joints: each is joined to the one that carries it, and to those that hang beside it.

        GET-Zero (Patel and Song, arXiv 2407.15002): joints that hang from one link are neighbours.
        """
        return Graph.of_tree([joint.parent for joint in self.joints], siblings=True)

    def limbs_of(self, part: str, size: int) -> tuple[int, ...]:
        """Which limb each element of a named part of an observation, or of an action, belongs to.

        A part belongs to the signal whose name it has or begins with (`joint_pos`), `last_action` to `action`; what
        belongs to none is of the whole body, so of the root.

        Args:
            part: its name.
            size: its length.

        Raises:
            InvalidInput: the signal has another length.
        """
        names = [name for name in self.signals if f"{part}_".startswith(f"{name}_") or part == f"last_{name}"]
        if not names:
            return (0,) * size
        signal = self.signals[max(names, key=len)]
        if len(signal) != size:
            raise InvalidInput(
                f"part {part!r} has {size} elements, but this body's {max(names, key=len)!r} signal has {len(signal)}: "
                "rename the part, or give the embodiment the signal with `with_signals`"
            )
        return signal

    @property
    def fingerprint(self) -> str:
        """Hash of the content."""
        return provenance.fingerprint(self.to_json())

    def summary(self) -> str:
        """In one line: how many limbs, joints and actuators, and the fingerprint."""
        counts = f"{len(self.limbs)} limbs, {len(self.joints)} joints and {len(self.actuators)} actuators"
        return f"{counts} (fingerprint {self.fingerprint})"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "schema": SCHEMA,
            "floating": self.floating,
            "limbs": [_plain(limb) for limb in self.limbs],
            "joints": [_plain(joint) for joint in self.joints],
            "actuators": [_plain(actuator) for actuator in self.actuators],
            "signals": {name: list(limbs) for name, limbs in self.signals.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Embodiment":
        """Inverse of `to_json`.

        Raises:
            InvalidInput: it is no embodiment, or of another version.
        """
        try:
            if values["schema"] != SCHEMA:
                raise InvalidInput(f"schema is {values['schema']}; this version reads {SCHEMA}: read the model anew")
            limbs = tuple(Limb(**_frozen(each)) for each in values["limbs"])
            joints = tuple(Joint(**_frozen(each)) for each in values["joints"])
            actuators = tuple(Actuator(**_frozen(each)) for each in values["actuators"])
            signals = {name: tuple(map(int, numbers)) for name, numbers in values["signals"].items()}
            return cls(limbs, joints, actuators, bool(values["floating"])).with_signals(signals)
        except InvalidInput:
            raise
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidInput(f"not an embodiment: {type(error).__name__} {error}") from error


def _plain(part: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(part).items()}


def _frozen(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
