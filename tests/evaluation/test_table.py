from dataclasses import replace

from barkyard.evaluation import markdown_table, text_table
from barkyard.evaluation.table import choices_text, metrics_text, score_texts

from .fakes import make_result

RESULTS = [make_result(99, actor="expert", seconds=31.06), make_result(7, 8)]


def test_text_table() -> None:
    assert text_table(RESULTS).splitlines() == [
        "task     actor        n  successes    rate   95 % interval  seconds",
        "-------  ---------  ---  ---------  ------  --------------  -------",
        "Lift-v0  expert     100         99  99.0 %  94.6 - 100.0 %     31.1",
        "Lift-v0  diffusion    8          7  87.5 %   47.3 - 99.7 %     12.5",
    ]


def test_markdown_table() -> None:
    assert markdown_table(RESULTS).splitlines() == [
        "| task | actor | n | successes | rate | 95 % interval | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| Lift-v0 | expert | 100 | 99 | 99.0 % | 94.6 - 100.0 % | 31.1 |",
        "| Lift-v0 | diffusion | 8 | 7 | 87.5 % | 47.3 - 99.7 % | 12.5 |",
    ]


def test_a_partial_result_is_marked_and_explained() -> None:
    partial = make_result(7, 8, episodes_asked=100)
    assert "8/100 *" in text_table([*RESULTS, partial])
    assert text_table([*RESULTS, partial]).splitlines()[-1].startswith("* stopped early")
    assert "8/100 \\*" in markdown_table([partial])
    assert "stopped early" not in text_table(RESULTS)


def test_a_source_that_is_not_the_simulation_is_named() -> None:
    assert "Lift-v0 (real)" in text_table([make_result(source="real")])


def test_hostile_names_stay_in_their_cell() -> None:
    hostile = make_result(actor="a|b\n| c \x1b[2J`<img>")
    assert len(text_table([hostile]).splitlines()) == 3
    assert "\x1b" not in text_table([hostile])
    row = markdown_table([hostile]).splitlines()[2]
    assert row.startswith(r"| Lift-v0 | a\|b?\| c ?\[2J\`\<img> | 100 |")


def test_no_results() -> None:
    assert len(text_table([]).splitlines()) == 2


def test_metrics_are_counted_or_averaged() -> None:
    """7 of 8 has the exact interval of the successes; 0, 2, 0, 2, ... the mean 1 +- 1.96 * 1.069 / sqrt(8)."""
    result = make_result(7, 8)
    records = [
        replace(
            record,
            score=None,
            metrics={"cleared": float(record.success), "time": 2.0 * (i % 2), **({"rare": 1.0} if i else {})},
        )
        for i, record in enumerate(result.episodes)
    ]
    assert metrics_text(replace(result, episodes=tuple(records))).splitlines() == [
        "  cleared  7/8 = 87.5 %  [47.3, 99.7]",
        "  time     mean 1        [0.2592, 1.741]",
    ]
    assert metrics_text(result).split() == ["score", "mean", "0.4375", "[0.2253,", "0.6497]"]


def test_the_score_is_a_mean_with_its_interval() -> None:
    """0, 1/8, ..., 7/8: mean 0.4375, deviation 0.3062."""
    result = make_result(7, 8)
    assert score_texts(result) == ("0.438", "0.225 - 0.650")
    assert score_texts(replace(result, episodes=tuple(replace(r, score=None) for r in result.episodes))) is None


def test_choices_are_what_tells_results_of_one_task_apart() -> None:
    weak, strong = (make_result(env_kwargs={"torque_limit": limit, "mode": "strict"}) for limit in (12.0, None))
    elsewhere = make_result(env_id="barkyard/Other-v0", env_kwargs={"mode": "published"})
    results = [weak, strong, elsewhere]
    assert [choices_text(result, results) for result in results] == ["torque_limit 12.0", "torque_limit null", ""]
    looks = [make_result(env_kwargs={"visual": {"name": name, "light": 0.5}}) for name in ("darker", "dusk")]
    assert [choices_text(look, looks) for look in looks] == ["visual darker", "visual dusk"]
