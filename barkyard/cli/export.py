"""`barkyard export`: a policy in another format."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Json, print_json, print_text


def export(
    checkpoint: Annotated[Positional[Path], arg(metavar="CHECKPOINT")],
    /,
    *,
    onnx: Annotated[Path, arg(metavar="FILE.onnx")],
    as_json: Json = False,
) -> int:
    """Write a policy as an ONNX file, after comparing its actions with PyTorch's.

    Args:
        checkpoint: a checkpoint, or the folder of a training run.
        onnx: the file.
        as_json: print a summary as JSON.
    """
    from barkyard.policies import load_policy
    from barkyard.policies.onnx import export_onnx

    done = export_onnx(load_policy(checkpoint), onnx)
    if as_json:
        inputs = {name: list(shape) for name, shape in done.inputs.items()}
        print_json({"path": str(done.path), "difference": done.difference, "inputs": inputs})
    else:
        inputs_text = ", ".join(f"{name} {shape}" for name, shape in done.inputs.items())
        print_text(f"{done.path}: {inputs_text}; actions differ from PyTorch's by at most {done.difference:.1e}")
    return 0
