"""LeRobot's side of `./scripts/bench denoiser`: run by LeRobot's own Python, it needs nothing of Barkyard.

Reads settings as a line of JSON, answers with its size and version, then measures what each further line names, and
answers with the processor's time [s].
"""

import json
import sys
import time

import torch
from lerobot import __version__
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy


def main() -> None:
    """Answer until there are no more lines."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    asked = json.loads(sys.stdin.readline())
    state, environment = asked["state"], asked["environment"]
    config = DiffusionConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (state,)),
            "observation.environment_state": PolicyFeature(FeatureType.ENV, (environment,)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (asked["action"],))},
        n_obs_steps=2,
        horizon=asked["horizon"],
        n_action_steps=asked["action_steps"],
        down_dims=tuple(asked["widths"]),
        kernel_size=asked["kernel_size"],
        n_groups=asked["groups"],
        diffusion_step_embed_dim=asked["step_embedding"],
        noise_scheduler_type="DDIM",
        num_inference_steps=asked["inference_steps"],
        device="cpu",
    )
    policy = DiffusionPolicy(config)
    optimizer = torch.optim.Adam(policy.get_optim_params(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6)
    answer({"parameters": sum(weights.numel() for weights in policy.parameters()), "version": __version__,
            "torch": torch.__version__})  # fmt: skip

    def seen(rows: int) -> dict[str, torch.Tensor]:
        return {
            "observation.state": torch.randn(rows, 2, state),
            "observation.environment_state": torch.randn(rows, 2, environment),
        }

    batch = {
        **seen(asked["batch"]),
        "action": torch.randn(asked["batch"], asked["horizon"], asked["action"]),
        "action_is_pad": torch.zeros(asked["batch"], asked["horizon"], dtype=torch.bool),
    }
    rows = {count: seen(count) for count in asked["rows"]}
    for line in sys.stdin:
        began = time.process_time()
        if line.strip() == "train":
            policy.train()
            loss, _ = policy.forward(batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 10.0)
            optimizer.step()
        else:
            policy.eval()
            with torch.inference_mode():
                policy.diffusion.generate_actions(rows[int(line)])
        answer(time.process_time() - began)


def answer(value: object) -> None:
    """A line of JSON."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
