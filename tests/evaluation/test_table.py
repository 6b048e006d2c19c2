from barkyard.evaluation import markdown_table, text_table

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
