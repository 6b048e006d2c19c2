"""What a policy for several tasks reads besides its observations: which parts there are, and the task."""

import torch
from torch import Tensor, nn

from barkyard.policies.policy import FeatureSpec


class TaskInput(nn.Module):
    """Sets absent parts to zero, and appends to every observation a mask of the parts that are there and the task.

    The task is a learnt embedding, or, where vectors are given, their linear map. A zero would else be the middle of a
    part's range; the mask tells the two apart.

    Args:
        features: with tasks.
        width: of the embedding.

    Attributes:
        size: elements of an observation with all that is appended.
    """

    def __init__(self, features: FeatureSpec, width: int) -> None:
        super().__init__()
        parts = features.parts_of_all_tasks
        there = torch.tensor([[float(key in task.observations) for key in parts] for task in features.tasks])
        sizes = torch.tensor([shape[0] for shape in parts.values()])
        self.register_buffer("mask", there, persistent=False)
        self.register_buffer("elements", there.repeat_interleave(sizes, dim=1), persistent=False)
        self.mask: Tensor
        self.elements: Tensor
        vectors = torch.tensor([task.vector for task in features.tasks])
        self.register_buffer("vectors", vectors, persistent=False)
        self.vectors: Tensor
        self.embedding = nn.Linear(vectors.shape[1], width) if vectors.numel() else nn.Embedding(len(vectors), width)
        self.size = int(sizes.sum()) + len(parts) + width

    def forward(self, values: Tensor, rows: Tensor) -> Tensor:
        """Normalised `(B, To, O)` parts of all tasks, and `(B,)` numbers of tasks -> `(B, To, size)`."""
        task = self.embedding(self.vectors[rows] if self.vectors.numel() else rows)
        told = torch.cat((self.mask[rows], task), dim=-1)[:, None].expand(-1, values.shape[1], -1)
        return torch.cat((values * self.elements[rows, None], told), dim=-1)
