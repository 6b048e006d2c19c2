import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from barkyard.datasets import Dataset, DatasetWriter
from barkyard.episode import Episode
from barkyard.errors import BarkyardError, InvalidInput, ResultError
from barkyard.evaluation.intervals import Interval
from barkyard.evaluation.plots import interval_svg, stretch_means, training_svg
from barkyard.evaluation.report import DatasetFacts, Report, TrainingCurve, seeds_text, write_report
from barkyard.evaluation.run_folder import VIDEOS_A_FOLDER, gather_run, read_training_log
from barkyard.evaluation.table import score_texts

from .fakes import make_result
from .test_video import write_video

HOSTILE = "</title><script>alert(1)</script>\" onload='x' $\\frac{ & {{ 7 * 7 }} http://evil.example/x.png"


class Page(HTMLParser):
    """A parsed page: its tags with attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def sections(self) -> list[str | None]:
        return [attributes["id"] for attributes in self.all("section")]


CURVE = TrainingCurve("policy", ((0, 1.0), (100, 0.1), (200, 0.05)), ((100, 0.2), (200, 0.15)))


def full_report(tmp_path: Path) -> Report:
    return Report(
        title="A run",
        results=(make_result(99, actor="expert"), make_result(95, 100, command="barkyard evaluate x")),
        curves=(CURVE,),
        videos=(write_video(tmp_path / "a_b.mp4", 12),),
        videos_left_out=3,
        dataset=DatasetFacts("dataset", "barkyard/Lift-v0", 200, 12345, 198, "d00d"),
        commands=("barkyard collect", "barkyard train"),
    )


def written(report: Report, tmp_path: Path) -> Page:
    write_report(report, tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert page.open == []
    return page


def test_page_holds_everything(tmp_path: Path) -> None:
    page = written(full_report(tmp_path), tmp_path)
    assert page.sections() == ["success", "comparison", "videos", "training", "dataset", "commands", "provenance"]
    for text in (
        "99 of 100", "99.0 %", "94.6 - 100.0 %",  # expert
        "95 of 100", "95.0 %", "88.7 - 98.4 %", "success 95, time limit 5",  # policy
        "100 seeds, 1000000000 to 1000000099", "12345", "200, of which 198 succeeded", "d00d", "00112233", "3.17.0",
        "barkyard collect\nbarkyard train", "barkyard evaluate x", make_result(95).fingerprint,
        "3 more are in the run's folder", "Mean score", *(score_texts(make_result(95)) or ()),
        '{"controller": "OSC_POSE"}', "expert: not enough evidence against diffusion: +4 points",
    ):  # fmt: skip
        assert text in page.text, text
    assert len(page.all("svg")) == 2 + 1
    assert "stopped early" not in page.text


def test_what_is_no_fair_sample_is_marked(tmp_path: Path) -> None:
    raced = make_result(8, 8, actor="new", episodes_asked=100, sampling="sequential", sampling_note="better than old")
    searched = make_result(3, 5, actor="frail", sampling="search", sampling_note="a search")
    page = written(Report("x", (raced, searched)), tmp_path)
    for text in (
        "8/100 +", "5 !", "not a fair sample: a search looked for failures", "ended when the answer was known",
        "new: stopped early, better than old", "2 failures found by a search, such as seed 1000000003", "0.0 - 100.0 %",
    ):  # fmt: skip
        assert text in page.text, text


def test_video_is_embedded_whole_with_a_film_strip(tmp_path: Path) -> None:
    page = written(full_report(tmp_path), tmp_path)
    [video] = page.all("video")
    prefix, content = str(video["src"]).split(",")
    assert prefix == "data:video/mp4;base64"
    assert base64.b64decode(content) == (tmp_path / "a_b.mp4").read_bytes()
    stills = [str(image["src"]) for image in page.all("img")]
    assert len(stills) == 6
    assert all(still.startswith("data:image/jpeg;base64,") for still in stills)


def test_the_picture_beside_a_video_is_shown_with_it(tmp_path: Path) -> None:
    videos = (write_video(tmp_path / "a.mp4", 3), write_video(tmp_path / "b.mp4", 3))
    (tmp_path / "b.png").write_bytes(b"a picture")
    (tmp_path / "c.png").write_bytes(b"of no video")
    page = written(Report("x", (make_result(),), videos=videos), tmp_path)
    [picture] = [image for image in page.all("img") if image.get("class") == "path"]
    prefix, content = str(picture["src"]).split(",")
    assert (prefix, base64.b64decode(content)) == ("data:image/png;base64", b"a picture")
    assert f"{tmp_path.name} / b" in str(picture["alt"])
    (tmp_path / "a.png").mkdir()
    with pytest.raises(BarkyardError, match=r"a\.png: cannot be read"):
        written(Report("x", (make_result(),), videos=videos), tmp_path)


def test_page_asks_for_nothing_from_elsewhere_and_runs_nothing(tmp_path: Path) -> None:
    page = written(full_report(tmp_path), tmp_path)
    assert not re.search(r"https?:|//www|@import|url\((?!#)", page.source)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "poster", "srcset"):
            assert str(attributes.get(name, "data:")).startswith(("data:", "#"))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    result = make_result(
        actor=HOSTILE, env_id=HOSTILE, env_kwargs={HOSTILE: HOSTILE}, fingerprints={HOSTILE: HOSTILE},
        versions={HOSTILE: HOSTILE}, command=HOSTILE,
    )  # fmt: skip
    report = Report(
        title=HOSTILE,
        results=(result,),
        curves=(replace(CURVE, name=HOSTILE),),
        dataset=DatasetFacts(HOSTILE, HOSTILE, 1, 1, 1, HOSTILE),
        commands=(HOSTILE,),
    )
    page = written(report, tmp_path)
    assert page.text.count(HOSTILE) >= 12
    assert page.all("script") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_parts_that_are_missing_are_left_out(tmp_path: Path) -> None:
    page = written(Report("Bare", (make_result(),)), tmp_path)
    assert page.sections() == ["success", "provenance"]
    assert page.all("video") == page.all("img") == []


def test_a_partial_result_is_marked(tmp_path: Path) -> None:
    page = written(Report("Stopped", (make_result(7, 8, episodes_asked=100),)), tmp_path)
    assert "7 of 8/100 *" in page.text
    assert "stopped early" in page.text


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    report = full_report(tmp_path)
    assert written(report, tmp_path).source == written(report, tmp_path).source


def test_refuses_a_report_of_nothing() -> None:
    with pytest.raises(InvalidInput, match="results is empty"):
        Report("x", ())


def test_a_broken_video_is_named_and_the_earlier_page_stays(tmp_path: Path) -> None:
    report = full_report(tmp_path)
    write_report(report, tmp_path / "report.html")
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "a_b.mp4").write_bytes(b"broken")
    with pytest.raises(BarkyardError, match=r"a_b\.mp4"):
        write_report(report, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == before


def test_seeds_text() -> None:
    result = make_result(2, 4)
    assert seeds_text(result) == "4 seeds, 1000000000 to 1000000003"
    gap = replace(result, episodes=(result.episodes[0], *result.episodes[2:]))
    assert seeds_text(gap) == "3 seeds, 1000000000 to 1000000003, not all between"
    assert seeds_text(replace(result, episodes=result.episodes[1:2])) == "1 seed, 1000000001"


def test_versions_that_differ_are_all_shown(tmp_path: Path) -> None:
    results = (make_result(), make_result(versions={"mujoco": "3.17.1", "torch": "2.13.0"}))
    text = written(Report("x", results), tmp_path).text
    assert "3.17.0 / 3.17.1" in text
    assert "2.13.0 / absent" in text


def test_plots_take_the_pages_colours() -> None:
    plots = [interval_svg(0.95, Interval(0.89, 0.98)), training_svg(CURVE.loss, CURVE.heldout_loss)]
    for svg in plots:
        assert svg.startswith("<svg")
        assert "var(--accent)" in svg
        assert set(re.findall(r"#[0-9a-fA-F]{6}\b", svg)) == set()
        assert " id=" not in re.sub(r"<(clipPath|path) id=", "", svg)
    assert "currentColor" in plots[1]


@pytest.mark.parametrize("curve", [((0, 1.0),), ((0, 0.0), (1, 1.0)), ((0, -1.0), (1, 2.0)), ((5, 3.0), (6, 3.0)), ()])
def test_training_plot_of_awkward_curves(curve: tuple[tuple[int, float], ...]) -> None:
    assert "<svg" in training_svg(curve, ())


def test_stretch_means() -> None:
    curve = [(float(i), 2.0 * i) for i in range(10)]
    assert stretch_means(curve, 10) == curve
    assert stretch_means(curve, 3) == [(1, 2), (4, 8), (7.5, 15)]  # 0-2, 3-5, 6-9


def make_run(folder: Path) -> Path:
    """A run's folder with everything but a dataset."""
    make_result(99, actor="expert").save(folder / "results" / "expert.json")
    make_result(95).save(folder / "results" / "policy.json")
    (folder / "policy").mkdir()
    lines = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5, "heldout_loss": 0.75}]
    (folder / "policy" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "videos" / "policy").mkdir(parents=True)
    for i in range(VIDEOS_A_FOLDER + 2):
        (folder / "videos" / "policy" / f"episode_{i}_success.mp4").touch()
    (folder / "commands.txt").write_text("barkyard collect\n\nbarkyard train\n")
    return folder


def demonstration(seed: int, length: int, success: bool) -> Episode:
    """An episode of zeros."""
    return Episode(
        observations={"joint_pos": np.zeros((length + 1, 3), dtype=np.float32)},
        actions=np.zeros((length, 2), dtype=np.float32),
        rewards=np.zeros(length, dtype=np.float32),
        success=success,
        end="success" if success else "time_limit",
        dt=0.05,
        seed=seed,
        env_id="barkyard/Lift-v0",
        env_kwargs={},
        acted_by=np.full(length, "expert"),
    )


def test_gather_run(tmp_path: Path) -> None:
    report = gather_run(make_run(tmp_path / "lift"))
    assert report.title == "lift"
    assert report.results == (make_result(99, actor="expert"), make_result(95))
    assert report.curves == (TrainingCurve("policy", ((1, 1.0), (2, 0.5)), ((2, 0.75),)),)
    assert [video.name for video in report.videos] == [f"episode_{i}_success.mp4" for i in range(VIDEOS_A_FOLDER)]
    assert report.videos_left_out == 2
    assert report.commands == ("barkyard collect", "barkyard train")
    assert report.dataset is None


def test_gather_run_counts_the_demonstrations(tmp_path: Path) -> None:
    make_result().save(tmp_path / "results" / "a.json")
    with DatasetWriter.create(tmp_path / "dataset", demonstration(0, 5, True)) as writer:
        for seed, length, success in ((0, 5, True), (1, 7, False), (2, 4, True)):
            writer.write(demonstration(seed, length, success))
    facts = gather_run(tmp_path).dataset
    assert facts is not None
    assert (facts.env_id, facts.path) == ("barkyard/Lift-v0", "dataset")
    assert (facts.episodes, facts.frames, facts.successes) == (3, 16, 2)
    assert facts.fingerprint == Dataset.open(tmp_path / "dataset").fingerprint


def test_gather_run_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    make_result().save(tmp_path / "results" / "a.json")
    report = gather_run(tmp_path)
    assert report == Report(tmp_path.name, (make_result(),))


def test_gather_run_needs_a_result(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"results holds no \*\.json"):
        gather_run(tmp_path)


def test_gather_run_names_a_damaged_result(tmp_path: Path) -> None:
    (make_run(tmp_path / "lift") / "results" / "policy.json").write_text("{")
    with pytest.raises(ResultError, match=r"policy\.json"):
        gather_run(tmp_path / "lift")


def test_training_log_of_a_run_that_was_killed_and_resumed(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"step": 10, "loss": 1.0}\n{"step": 20, "loss": 9.0}\n{"step": 20, "loss": 0.5}\n'
        '{"step": 30, "loss": NaN, "heldout_loss": null}\n{"step": 40, "loss": 0.25, "heldo'
    )
    assert read_training_log(log, "x") == TrainingCurve("x", ((10, 1.0), (20, 0.5)), ())


@pytest.mark.parametrize("line", ["{", "[]", "3", '{"loss": 1}', '{"step": null}'])
def test_a_damaged_line_of_a_training_log_is_named(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(f'{{"step": 1, "loss": 1.0}}\n{line}\n{{"step": 2, "loss": 1.0}}\n')
    with pytest.raises(ResultError, match=r"log\.jsonl, line 2"):
        read_training_log(log, "x")
