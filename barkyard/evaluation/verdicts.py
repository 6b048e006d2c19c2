"""Comparisons in words: a line a pair, and who may be the best."""

from barkyard.errors import InvalidInput
from barkyard.evaluation.comparison import Arm, Comparison, Ranking
from barkyard.evaluation.planning import MOST, trials_to_tell_apart


def ranking_words(ranking: Ranking, measure: str, margin: float) -> list[str]:
    """Every pair, and of more than two policies the set of those that may be the best."""
    lines = [_pair_words(each, measure, margin) for each in ranking.comparisons]
    if len(ranking.arms) > 2:
        many = len(ranking.may_be_best) > 1
        lines.append(f"{'one of these is' if many else 'shown to be'} the best: {', '.join(ranking.may_be_best)}")
    return lines


def mean_words(arm: Arm, measure: str) -> str:
    """A mean, never without its interval."""
    if arm.interval is None:
        return "never varies, no interval"
    low, high = arm.interval
    if measure == "success":
        return f"{100 * arm.mean:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{arm.mean:.4g} [{low:.4g}, {high:.4g}]"


def _pair_words(pair: Comparison, measure: str, margin: float) -> str:
    scale, unit = (100, " points") if measure == "success" else (1, "")
    span = "no interval"
    if pair.interval is not None:
        low, high = (scale * bound for bound in pair.interval)
        span = f"{scale * pair.difference:+.3g}{unit} [{low:+.3g}, {high:+.3g}]"
    verdict = pair.verdict if pair.verdict in ("better", "worse") else f"{pair.verdict} against"
    than = " than" if verdict in ("better", "worse") else ""
    p = f"p = {pair.p:.4f}" if pair.p >= 1e-4 else "p < 0.0001"
    line = f"{pair.a.name}: {verdict}{than} {pair.b.name}: {span}, {p} ({pair.test}"
    if pair.discordant is not None:
        line += f": only {pair.a.name} succeeded {pair.discordant[0]} times, only {pair.b.name} {pair.discordant[1]}"
    if pair.verdict == "no practical difference":
        line += f"; within {scale * margin:g}{unit}"
    return f"{line}){_needed_words(pair, measure)}"


def _needed_words(pair: Comparison, measure: str) -> str:
    """How many episodes would tell, if what was seen were the truth."""
    if pair.verdict != "not enough evidence" or measure != "success" or pair.difference == 0:
        return ""
    share = None if pair.discordant is None else sum(pair.discordant) / pair.a.episodes
    try:
        needed = str(trials_to_tell_apart(pair.a.mean, pair.b.mean, discordant=share))
    except InvalidInput:
        needed = f"more than {MOST}"
    return f"; if what was seen were the truth, {needed} episodes of each would show it with power 0.8"
