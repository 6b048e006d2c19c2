"""The reference: which modules are public, by subject. Their docstrings are the text."""

MODULES: dict[str, tuple[str, ...]] = {
    "episodes": ("barkyard.episode", "barkyard.rollout", "barkyard.errors"),
    "environments": ("barkyard.envs.env", "barkyard.envs.task", "barkyard.envs.registry", "barkyard.envs.entries"),
    "robots": ("barkyard.assets.robot", "barkyard.assets.calibration", "barkyard.assets.parameters"),
    "control": ("barkyard.control.controller",),
    "bodies": ("barkyard.embodiment.embodiment", "barkyard.embodiment.graph", "barkyard.embodiment.parts"),
    "datasets": (
        "barkyard.datasets.reader",
        "barkyard.datasets.writer",
        "barkyard.datasets.spec",
        "barkyard.datasets.windows",
        "barkyard.datasets.normalization",
        "barkyard.datasets.survey",
        "barkyard.datasets.page",
        "barkyard.datasets.robomimic",
        "barkyard.datasets.minari",
        "barkyard.datasets.lerobot",
    ),
    "policies": (
        "barkyard.policies.policy",
        "barkyard.policies.actor",
        "barkyard.policies.registry",
        "barkyard.policies.train",
        "barkyard.policies.training_config",
        "barkyard.policies.checkpoint",
    ),
    "evaluation": (
        "barkyard.evaluation.evaluate",
        "barkyard.evaluation.result",
        "barkyard.evaluation.comparison",
        "barkyard.evaluation.correlation",
        "barkyard.evaluation.intervals",
    ),
    "calibration": ("barkyard.calibration.calibrate", "barkyard.calibration.logs", "barkyard.calibration.fit"),
    "agility": (
        "barkyard.agility.layout",
        "barkyard.agility.tracker",
        "barkyard.agility.score",
        "barkyard.agility.log",
    ),
    "teleop": ("barkyard.teleop.command", "barkyard.teleop.session", "barkyard.teleop.operator"),
    "fleet": ("barkyard.fleet.plan", "barkyard.fleet.run", "barkyard.fleet.work"),
    "serving": ("barkyard.serving.client", "barkyard.serving.server"),
}
"""By page: the modules on it, in order."""


def reference_pages() -> dict[str, str]:
    """By place in the site, the pages in Markdown; mkdocstrings puts the docstrings in."""
    return {
        f"reference/{page}.md": f"# {page.capitalize()}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"
        for page, modules in MODULES.items()
    }
