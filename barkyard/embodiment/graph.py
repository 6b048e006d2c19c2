"""Distances in a body."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """Who is joined to whom, and how far apart; all arrays are `(N, N)`.

    Attributes:
        adjacency: True between neighbours; symmetric, False on the diagonal.
        hop: edges on the shortest path; 0 on the diagonal.
        ancestor: generations from row up to column where column is an ancestor of row, else 0.
        descendant: generations from row down to column where column descends from row, else 0.
    """

    adjacency: NDArray[np.bool_]
    hop: Distances
    ancestor: Distances
    descendant: Distances

    @classmethod
    def of_tree(cls, parents: Sequence[int], siblings: bool = False) -> "Graph":
        """The graph of a forest.

        Args:
            parents: `(N,)` the parent of each node, which comes before it; -1 where it has none.
            siblings: whether nodes with one parent, or with none, are neighbours too.
        """
        count = len(parents)
        adjacency = np.zeros((count, count), dtype=bool)
        ancestor = np.zeros((count, count), dtype=np.int64)
        for node, parent in enumerate(parents):
            if parent >= 0:
                adjacency[node, parent] = adjacency[parent, node] = True
                ancestor[node] = np.where(ancestor[parent] > 0, ancestor[parent] + 1, 0)
                ancestor[node, parent] = 1
        if siblings:
            of = np.asarray(parents)
            adjacency |= (of[:, None] == of) & ~np.eye(count, dtype=bool)
        hop = np.array([_distances(adjacency, node) for node in range(count)]).reshape(count, count)
        return cls(adjacency, hop, ancestor, ancestor.T.copy())


def _distances(adjacency: NDArray[np.bool_], start: int) -> Distances:
    """`(N,)` edges from `start` to every node; -1 where there is no path."""
    found = np.full(len(adjacency), -1)
    found[start] = 0
    queue = deque([start])
    while queue:
        node = queue.popleft()
        fresh = np.flatnonzero(adjacency[node] & (found < 0))
        found[fresh] = found[node] + 1
        queue.extend(fresh.tolist())
    return found
