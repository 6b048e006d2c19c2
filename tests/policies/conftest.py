from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.policies.synthetic import write_dataset


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Same rounding, and no fight over the cores, whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dataset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "point")
