"""A training step and acting of our U-Net against LeRobot's DiffusionPolicy, at equal size, in one run.

LeRobot runs in a Python of its own, since its versions clash with ours; the two take turns, on one thread each, and
what counts is the processor's time, of which other programs take none. Medians, and the 95 % interval of their ratio by
bootstrap. A training step is loss, gradients, optimiser, and with ours the average of the weights, which LeRobot does
not keep. Acting is a chunk by DDIM in 10 steps, for one robot and for 16; ours always runs on 16 rows, so that an
action never depends on who else acts.

`./scripts/bench denoiser --lerobot PYTHON [--seconds S] [--out FILE]`
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from body import ratio

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.policies.averaging import average_of
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.diffusion.config import DiffusionConfig, UnetConfig, small_unet
from barkyard.policies.inference import Inference
from barkyard.policies.policy import FeatureSpec, Policy
from barkyard.provenance import versions

BATCH: Final = 64
HORIZON: Final = 16
ROWS: Final = (1, 16)
SIZES: Final = {
    "small": UnetConfig(widths=(64, 128, 256), kernel_size=5, groups=8, step_embedding=128),
    "published": UnetConfig(widths=(256, 512, 1024), kernel_size=5, groups=8, step_embedding=256),
}
STATE, ENVIRONMENT, ACTION = 7, 3, 7
"""Ten observed numbers twice, as Lift of robomimic has without rotations, and seven commanded ones."""


class LeRobot:
    """Their side, in another process."""

    def __init__(self, python: Path, size: UnetConfig) -> None:
        script = Path(__file__).with_name("lerobot_denoiser.py")
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean
        )
        self.facts: dict[str, Any] = self._ask(
            {
                "state": STATE, "environment": ENVIRONMENT, "action": ACTION, "horizon": HORIZON, "action_steps": 8,
                "widths": size.widths, "kernel_size": size.kernel_size, "groups": size.groups,
                "step_embedding": size.step_embedding, "inference_steps": 10, "batch": BATCH, "rows": ROWS,
            }
        )  # fmt: skip

    def seconds(self, what: str) -> float:
        """Processor time of a training step (`train`), or of acting for so many robots."""
        return float(self._ask(what))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, what: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write((what if isinstance(what, str) else json.dumps(what)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("LeRobot's process ended; what it says is above")
        return json.loads(answer)


def ours(size: UnetConfig) -> tuple[dict[str, Callable[[], object]], int]:
    """Our side: what is measured, by name, and the number of parameters."""
    shapes = {"joint_pos": (STATE,), "object_pos": (ENVIRONMENT,)}
    features = FeatureSpec(dict(shapes), ACTION, "", 0.05)
    normalizers = {
        key: Normalizer.fit([[-1.0] * n, [1.0] * n]) for key, (n,) in {**shapes, "action": (ACTION,)}.items()
    }
    policy = make_policy("diffusion-unet", features, normalizers, config=_config(size))
    rng = np.random.default_rng(0)

    def seen(rows: int) -> dict[str, Any]:
        return {key: rng.standard_normal((rows, 2, *shape), dtype=np.float32) for key, shape in shapes.items()}

    actions = rng.uniform(-1, 1, (BATCH, HORIZON, ACTION)).astype(np.float32)
    batch = WindowBatch(seen(BATCH), actions, np.zeros((BATCH, HORIZON), dtype=bool))
    acting = make_policy("diffusion-unet", features, normalizers, config=_config(size))
    measured: dict[str, Callable[[], object]] = {"train": _training_step(policy, batch)}
    for rows in ROWS:
        noise = rng.standard_normal((rows, *acting.noise_shape), dtype=np.float32)
        measured[str(rows)] = partial(Inference(acting), seen(rows), noise)
    return measured, sum(weights.numel() for weights in policy.parameters())


def _config(size: UnetConfig) -> DiffusionConfig:
    return replace(small_unet(), network=size, horizon=HORIZON, action_steps=8, inference_steps=10)


def _training_step(policy: Policy, batch: WindowBatch) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, fused=True)
    average, generator = average_of(policy), torch.Generator().manual_seed(0)

    def step() -> None:
        loss = policy.loss(batch, generator)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 10.0)
        optimizer.step()
        average.update_parameters(policy)

    return step


def measure(python: Path, size: UnetConfig, seconds: float) -> dict[str, Any]:
    """Everything of one size, each for so long and at least 5 rounds."""
    theirs, (mine, parameters) = LeRobot(python, size), ours(size)
    found: dict[str, Any] = {"parameters": {"ours": parameters, "lerobot": theirs.facts["parameters"]}, **theirs.facts}
    for name, function in mine.items():
        function()
        theirs.seconds(name)
        times: list[list[float]] = [[], []]
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times[0]) < 5:
            began = time.process_time()
            function()
            times[0].append(time.process_time() - began)
            times[1].append(theirs.seconds(name))
        middle, interval = ratio(*times)
        ms = [1e3 * statistics.median(each) for each in times]
        found[name] = {"ours_ms": ms[0], "lerobot_ms": ms[1], "ratio": middle, "interval": interval}
        found[name]["rounds"] = len(times[0])
    theirs.close()
    return found


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lerobot", type=Path, required=True, help="Python of an environment with lerobot[diffusion]")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, Any] = {"load": os.getloadavg(), "versions": versions(), "sizes": {}}
    names = {"train": f"training step, {BATCH} windows", **{str(n): f"a chunk for {n}, 10 steps" for n in ROWS}}
    for size in options.sizes:
        found = report["sizes"][size] = measure(options.lerobot, SIZES[size], options.seconds)
        counts = found["parameters"]
        print(f"| {size}: {counts['ours']:,} parameters | ours | LeRobot {found['version']}, {counts['lerobot']:,} | "
              "times as fast |\n|---|---|---|---|")  # fmt: skip
        for name, said in names.items():
            row = found[name]
            low, high = row["interval"]
            print(f"| {said} | {row['ours_ms']:.1f} ms | {row['lerobot_ms']:.1f} ms | {row['ratio']:.2f} "
                  f"({low:.2f} to {high:.2f}, {row['rounds']} rounds) |", flush=True)  # fmt: skip
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
