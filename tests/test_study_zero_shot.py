"""What the study of GET-Zero compares and reports. All outcomes are made up."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.errors import InvalidInput
from barkyard.experts.hand.gait import GAITS_FILE
from barkyard.policies.configuration import vary
from barkyard.policies.get_zero.config import ours
from barkyard.policies.registry import find
from tests.test_readme import ROOT


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts/studies"))
    return importlib.import_module("zero_shot")


@pytest.fixture
def tables(study: Any) -> Any:
    return importlib.import_module("zero_shot_report")


def gaits_of(path: Path, rates: dict[str, float], drops: float = 0.0) -> Path:
    """The shipped gait under other hands' names and with other measurements."""
    content = json.loads(GAITS_FILE.read_text())
    entry = next(iter(content["hands"].values()))
    content["hands"] = {
        hand: {**entry, "measured": {**entry["measured"], "yaw_rate": rate, "drops": drops}}
        for hand, rate in rates.items()
    }
    path.write_text(json.dumps(content))
    return path


def test_settings_are_those_of_the_policies_and_each_takes_one_change_away(study: Any) -> None:
    from barkyard.cli.opening import settings

    plain = settings(study.SIZE, "setting")
    base = vary(ours(), plain)
    for number, (name, (policy, words)) in enumerate(study.NETWORKS.items()):
        config = vary(find(policy).make_config(), {**plain, **settings(words, "setting")})
        differing = [field for field in vars(base) if getattr(config, field) != getattr(base, field)]
        assert bool(differing) == (name != study.OURS), name
        if number >= 4:
            assert differing == [word.partition("=")[0] for word in words] or set(differing) == {
                word.partition("=")[0] for word in words
            }
        assert (config.width, config.layers) == (base.width, base.layers)


def test_only_experts_among_the_training_hands_demonstrate(study: Any, tmp_path: Path) -> None:
    split = load_split()
    slow, fast, test = split.train[3], split.train[5], split.test_graph[0]
    path = gaits_of(tmp_path / "gaits.json", {slow: 11.0, fast: 20.0, split.train[0]: 30.0, test: 40.0})
    plan = study.Plan(("x",), fewest=2)
    assert list(study.training_gaits(path, plan)) == [split.train[0], fast]
    with pytest.raises(InvalidInput, match="experts for 2 training hands, and the study wants 3"):
        study.training_gaits(path, study.Plan(("x",), fewest=3))
    dropping = gaits_of(tmp_path / "dropping.json", {fast: 20.0}, drops=0.2)
    with pytest.raises(InvalidInput, match="experts for 0"):
        study.training_gaits(dropping, plan)


def test_nearest_gaits_are_of_training_hands_alone(study: Any, tmp_path: Path) -> None:
    split = load_split()
    names = [split.train[0], split.train[5]]
    path = gaits_of(tmp_path / "gaits.json", {**dict.fromkeys(names, 20.0), split.test_graph[0]: 40.0})
    plan = study.Plan(("x",), fewest=2, cell=30, hands=3)
    known, every = study.training_gaits(path, plan), study.read_gaits(path)
    study.begin(tmp_path / "out", plan, known)
    jobs = study.expert_jobs(tmp_path / "out", plan, known, every)
    borrowed = [job for job in jobs if job.donor != job.hand]
    assert {job.donor for job in borrowed} <= set(names) and len(borrowed) == 2 + 3 * 3
    assert [job.hand for job in jobs if job.donor == job.hand] == [*names, split.test_graph[0]]
    assert {job.column: job.episodes for job in jobs} == {"train": 15, **dict.fromkeys(study.TESTS, 10)}
    assert not {job.hand for job in jobs} & set(split.validation)
    study.begin(tmp_path / "out", plan, known)
    with pytest.raises(InvalidInput, match="another plan or other gaits"):
        study.begin(tmp_path / "out", study.Plan(("x",), fewest=2), known)


def line_of(network: str, seed: int, rates: list[float]) -> dict[str, Any]:
    column = {"hands": ["a", "b"], "episodes": 20, "yaw_rate": rates, "dropped": [0.0, 0.5], "cube_speed": [0.1, 0.1]}
    columns = {name: column for name in ("train", "test_graph", "test_length", "test_both")}
    places = {name: None if network == "plain" else [1.0, 3.0] for name in columns}
    return {
        "network": network, "seed": seed, "columns": columns, "parameters": 7,
        "places_mm": places,
    }  # fmt: skip


def test_the_tables_by_hand(tables: Any) -> None:
    """Hands turn 10 and 20 over seeds, so 15 give or take 12.706 * 5; seeds 14 and 16, so a deviation of 1.4."""
    values = np.array([[9.0, 19.0], [11.0, 21.0]])
    assert tables.cell(values) == "15.0 [-48.5, 78.5] ± 1.4"
    assert tables.cell(values[:1, :1]) == "9.0"
    assert tables.differences({"c": values + 3.0}, {"c": values})["c"] == "3.0 [3.0, 3.0] (+20 %)"
    experts = [
        {"column": "train", "hand": hand, "donor": donor, "yaw_rate": [rate]}
        for hand, donor, rate in (("a", "a", 30.0), ("a", "b", 5.0), ("b", "b", 10.0), ("b", "a", 7.0))
    ]
    experts += [{"column": "test_graph", "hand": hand, "donor": "a", "yaw_rate": [4.0, 6.0]} for hand in "cd"]
    lines = [line_of("ours", 0, [9.0, 19.0]), line_of("ours", 1, [11.0, 21.0]), line_of("plain", 0, [10.0, 14.0])]
    text = tables.report({"networks": lines, "experts": experts, "demonstrations": []}, "ours", "plain")
    rows = [line for line in text.splitlines() if line.startswith("| ours ")]
    assert rows[0].split(" | ")[2] == "15.0 [-48.5, 78.5] ± 1.4" and "0.75" in rows[1]
    assert "| the hand's own gait | 20.0 [-107.1, 147.1] | - | - | - |" in text
    assert "| gait of the nearest training hand | 6.0 [-6.7, 18.7] | 5.0 [5.0, 5.0] | - | - |" in text
    assert "new graph 0.75" in text and "+25 % against the plain" in text
    assert "| ours | 2.0 [-10.7, 14.7] ± 0 |" in text and text.count("| plain |") == 4
