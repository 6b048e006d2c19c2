"""Laws of distances in random trees, and one by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barkyard.embodiment import Graph

PARENTS = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*[st.integers(-1 if i == 0 else 0, max(i - 1, 0)) for i in range(n)])
)
TREES = PARENTS.map(lambda parents: (-1, *parents[1:]))


@given(TREES)
def test_a_tree(parents: tuple[int, ...]) -> None:
    graph, count = Graph.of_tree(parents), len(parents)
    assert graph.adjacency.sum() == 2 * (count - 1)
    assert (graph.hop >= 0).all(), "everything is connected"
    assert np.array_equal(graph.hop, graph.hop.T)
    assert np.array_equal(graph.hop == 1, graph.adjacency)
    assert np.array_equal(graph.hop == 0, np.eye(count, dtype=bool))
    assert (graph.hop[:, :, None] <= graph.hop[:, None] + graph.hop.T[None]).all(), "the triangle inequality"
    assert np.array_equal(graph.ancestor, graph.descendant.T)
    related = graph.ancestor > 0
    assert np.array_equal(graph.ancestor[related], graph.hop[related])
    assert not (related & related.T).any(), "nobody is its own ancestor's ancestor"
    depth = graph.hop[0]
    assert np.array_equal(related.sum(axis=1), depth), "as many ancestors as generations"


@given(TREES)
def test_siblings_are_one_step_apart(parents: tuple[int, ...]) -> None:
    tree, clique = Graph.of_tree(parents), Graph.of_tree(parents, siblings=True)
    of = np.array(parents)
    siblings = (of[:, None] == of) & ~np.eye(len(of), dtype=bool)
    assert np.array_equal(clique.adjacency, tree.adjacency | siblings)
    assert np.array_equal(clique.ancestor, tree.ancestor)
    assert (clique.hop <= tree.hop).all()


def test_two_fingers_by_hand() -> None:
    """Joints 0-1 and 2-3 hang from one palm: their bases are neighbours, their tips three apart."""
    graph = Graph.of_tree([-1, 0, -1, 2], siblings=True)
    assert graph.hop.tolist() == [[0, 1, 1, 2], [1, 0, 2, 3], [1, 2, 0, 1], [2, 3, 1, 0]]
    assert graph.ancestor.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
    assert Graph.of_tree([-1, 0, -1, 2]).hop[0, 2] == -1, "without the palm there is no path"
