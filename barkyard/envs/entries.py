"""The table of environments: strings only, so that listing them imports nothing."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from barkyard.errors import InvalidInput


@dataclass(frozen=True)
class EnvironmentEntry:
    """One registered environment.

    Attributes:
        id: what `gym.make` takes.
        task: the task's class as `module:name`.
        expert: the expert's factory as `module:name`, which takes the vector environment; empty where there is none.
        summary: one line.
    """

    id: str
    task: str
    expert: str
    summary: str


_ENTRIES = (
    EnvironmentEntry(
        "barkyard/Lift-v0",
        "barkyard.envs.tasks.manipulation.lift:Lift",
        "barkyard.experts.picking:lift_expert",
        "lift a cube off a table (robosuite's Lift)",
    ),
    EnvironmentEntry(
        "barkyard/PickPlaceCan-v0",
        "barkyard.envs.tasks.manipulation.pick_place_can:PickPlaceCan",
        "barkyard.experts.picking:pick_place_can_expert",
        "move a can to its quarter of the other bin (robosuite's PickPlaceCan)",
    ),
    EnvironmentEntry(
        "barkyard/Stack-v0",
        "barkyard.envs.tasks.manipulation.stack:Stack",
        "barkyard.experts.picking:stack_expert",
        "put a cube on another and let go (robosuite's Stack)",
    ),
    EnvironmentEntry(
        "barkyard/NutAssemblySquare-v0",
        "barkyard.envs.tasks.manipulation.nut_assembly_square:NutAssemblySquare",
        "barkyard.experts.picking:nut_assembly_square_expert",
        "put a square nut on its peg (robosuite's NutAssemblySquare)",
    ),
    EnvironmentEntry(
        "barkyard/Door-v0",
        "barkyard.envs.tasks.manipulation.door:Door",
        "barkyard.experts.door:door_expert",
        "turn a door's handle and pull it open (robosuite's Door)",
    ),
    EnvironmentEntry(
        "barkyard/QuadrupedVelocity-v0",
        "barkyard.envs.tasks.locomotion.velocity:QuadrupedVelocity",
        "barkyard.experts.locomotion.actors:walking_expert",
        "a quadruped follows velocity commands on flat ground",
    ),
    EnvironmentEntry(
        "barkyard/QuadrupedRough-v0",
        "barkyard.envs.tasks.locomotion.rough:QuadrupedRough",
        "barkyard.experts.locomotion.actors:walking_expert",
        "a quadruped follows velocity commands over slopes, steps, boxes and gaps",
    ),
    EnvironmentEntry(
        "barkyard/WeavePoles-v0",
        "barkyard.envs.tasks.agility.weave_poles:WeavePoles",
        "barkyard.experts.locomotion.actors:course_expert",
        "a quadruped weaves through five poles",
    ),
    EnvironmentEntry(
        "barkyard/AFrame-v0",
        "barkyard.envs.tasks.agility.a_frame:AFrame",
        "barkyard.experts.locomotion.actors:course_expert",
        "a quadruped climbs over an A-frame",
    ),
    EnvironmentEntry(
        "barkyard/BroadJump-v0",
        "barkyard.envs.tasks.agility.broad_jump:BroadJump",
        "barkyard.experts.locomotion.actors:course_expert",
        "a quadruped jumps over a board",
    ),
    EnvironmentEntry(
        "barkyard/PauseTable-v0",
        "barkyard.envs.tasks.agility.pause_table:PauseTable",
        "barkyard.experts.locomotion.actors:course_expert",
        "a quadruped steps onto a table and stays",
    ),
    EnvironmentEntry(
        "barkyard/AgilityCourse-v0",
        "barkyard.envs.tasks.agility.course:AgilityCourse",
        "barkyard.experts.locomotion.actors:course_expert",
        "a quadruped runs the whole agility course",
    ),
    EnvironmentEntry(
        "barkyard/HandRotate-v0",
        "barkyard.envs.tasks.dexterity.hand_rotate:HandRotate",
        "barkyard.experts.hand.gait:gait_expert",
        "a hand of the LEAP hand's links turns a cube in its palm",
    ),
    *(
        EnvironmentEntry(
            f"barkyard/Humanoid{name}-v0", f"barkyard.envs.tasks.humanoid.moving:Humanoid{name}", "", summary
        )
        for name, summary in (
            ("Stand", "a humanoid stands up (dm_control's suite)"),
            ("Walk", "a humanoid walks at 1 m/s (dm_control's suite)"),
            ("Run", "a humanoid runs at 10 m/s (dm_control's suite)"),
        )
    ),
)

ENVIRONMENTS: Mapping[str, EnvironmentEntry] = {entry.id: entry for entry in _ENTRIES}
assert len(ENVIRONMENTS) == len(_ENTRIES), "two environments have the same id"


def find_entry(env_id: str) -> EnvironmentEntry:
    """The entry of `env_id`, with or without the module in front. Raises InvalidInput with the closest ids."""
    name = env_id.removeprefix("barkyard:")
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name]
    close = difflib.get_close_matches(name, ENVIRONMENTS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(close)}? " if close else ""
    raise InvalidInput(f"unknown environment {env_id!r}; {hint}The ids are {', '.join(ENVIRONMENTS)}")
