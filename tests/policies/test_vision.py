"""What image policies are made of: crops, points, and the networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from barkyard.datasets import Dataset, DatasetWriter
from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import VisionConfig, image_unet
from barkyard.policies.diffusion.vision import ImageEncoder, SpatialSoftmax, resnet18, short_network
from barkyard.policies.training_data import TrainingData, choose_keys
from tests.policies.synthetic import episode

SHAPE = (12, 10, 3)


def test_resnet18_has_its_number_of_parameters() -> None:
    """As published and in torchvision without the last layer; group norm has as many as batch norm."""
    network, channels = resnet18()
    assert sum(weights.numel() for weights in network.parameters()) == 11_176_512
    assert network(torch.zeros(1, 3, 96, 96)).shape == (1, channels, 3, 3) == (1, 512, 3, 3)


def test_the_short_network_makes_an_eighth() -> None:
    network, channels = short_network()
    assert network(torch.zeros(2, 3, 80, 72)).shape == (2, channels, 10, 9)


def test_a_point_is_where_its_feature_is() -> None:
    points = SpatialSoftmax(1, 1)
    with torch.no_grad():
        points.find.weight.fill_(1000.0)
        features = torch.zeros(2, 1, 5, 3)
        features[0, 0, 0, 2] = features[1, 0, 2, 1] = 1.0
        assert torch.allclose(points(features), torch.tensor([[1.0, -1.0], [0.0, 0.0]]), atol=1e-6)


class Pixels(torch.nn.Module):
    """In place of an encoder's network: the picture as it comes."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.seen = pictures
        return pictures.new_zeros(len(pictures), 64, 2, 2)


def cut(images: torch.Tensor, seed: int | None, brightness: float = 0.0) -> torch.Tensor:
    encoder = ImageEncoder(VisionConfig(crop=8, brightness=brightness), SHAPE)
    encoder.network = Pixels()
    encoder(images, None if seed is None else torch.Generator().manual_seed(seed))
    return encoder.network.seen


def numbered(batch: int, steps: int) -> torch.Tensor:
    """Images whose every pixel tells its row and column."""
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(10), indexing="ij")
    image = torch.stack([rows * 10 + columns, rows, columns], dim=-1).to(torch.uint8)
    return image.expand(batch, steps, *SHAPE)


def test_acting_sees_the_middle() -> None:
    seen = cut(numbered(1, 2), None)
    assert seen.shape == (2, 3, 8, 8)
    assert torch.allclose((seen[0, 1, :, 0] + 1.0) * 127.5, torch.arange(2.0, 10.0), atol=1e-4)
    assert torch.allclose((seen[0, 2, 0] + 1.0) * 127.5, torch.arange(1.0, 9.0), atol=1e-4)


def test_training_sees_a_window_alike_at_all_steps_and_windows_cut_apart() -> None:
    seen = (cut(numbered(64, 2), 3).view(64, 2, 3, 8, 8) + 1.0) * 127.5
    assert torch.equal(seen[:, 0], seen[:, 1])
    tops, lefts = (seen[:, 0, channel, 0, 0].round().int().tolist() for channel in (1, 2))
    assert set(tops) == set(range(5)) and set(lefts) == set(range(3))
    assert torch.allclose(seen[:, 0, 0], 10 * seen[:, 0, 1] + seen[:, 0, 2], atol=1e-3)
    assert torch.equal(cut(numbered(4, 1), 3), cut(numbered(4, 1), 3))


def test_brightness_changes_within_its_bounds() -> None:
    change = cut(numbered(64, 1), 3, brightness=0.1) - cut(numbered(64, 1), 3)
    assert 0.05 < change.abs().max() <= 0.2 + 1e-6


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(InvalidInput, match="crop 11 is larger than the images of 12 x 10"):
        ImageEncoder(VisionConfig(crop=11), SHAPE)
    with pytest.raises(InvalidInput, match="brightness 1.0"):
        VisionConfig(brightness=1.0)


@pytest.fixture
def pictured(tmp_path: Path) -> Dataset:
    """Episodes with the target in the environment's state, and a camera."""
    rng = np.random.default_rng(0)
    with_camera = []
    for seed in range(4):
        plain = episode(seed, 6)
        parts = {"position": plain.observations["position"], "object_pos": plain.observations["target"]}
        parts["image_front"] = rng.integers(0, 256, (7, 80, 80, 3), dtype=np.uint8)
        with_camera.append(replace(plain, observations=parts))
    with DatasetWriter.create(tmp_path / "pictured", with_camera[0]) as writer:
        for each in with_camera:
            writer.write(each)
    return Dataset.open(tmp_path / "pictured")


def test_image_policies_see_images_and_the_robots_own_senses(pictured: Dataset) -> None:
    data = TrainingData(pictured, image_unet(), None, 0.25, 0, images=True)
    assert list(data.features.observations) == ["position", "image_front"]
    assert set(data.normalizers) == {"position", "action"}
    batch = data.training.gather([0, 1])
    assert batch.observations["image_front"].shape == (2, 2, 80, 80, 3)
    assert batch.observations["image_front"].dtype == np.uint8


def test_others_do_not_read_images(pictured: Dataset) -> None:
    assert choose_keys(pictured, None) == ["position", "object_pos"]
    with pytest.raises(InvalidInput, match="image_front.*position, object_pos"):
        choose_keys(pictured, ["image_front"])


def test_images_are_asked_for_where_there_are_none(dataset_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no images"):
        choose_keys(Dataset.open(dataset_path), None, images=True)
