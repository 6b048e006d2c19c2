"""Closed-loop evaluation: run episodes, count successes, say how sure the count is, and show it."""

from barkyard.evaluation.actors import NoisyActor as NoisyActor
from barkyard.evaluation.actors import RandomActor as RandomActor
from barkyard.evaluation.evaluate import EvaluationInterrupted as EvaluationInterrupted
from barkyard.evaluation.evaluate import evaluate as evaluate
from barkyard.evaluation.evaluate import evaluation_seeds as evaluation_seeds
from barkyard.evaluation.intervals import Interval as Interval
from barkyard.evaluation.intervals import clopper_pearson as clopper_pearson
from barkyard.evaluation.result import EpisodeRecord as EpisodeRecord
from barkyard.evaluation.result import EvalResult as EvalResult
from barkyard.evaluation.table import markdown_table as markdown_table
from barkyard.evaluation.table import text_table as text_table
