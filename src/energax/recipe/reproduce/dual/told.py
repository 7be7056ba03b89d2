"""The chapter of this paper, and one line for each of its runs."""

from energax.recipe.reproduce.chapter import Chapter, Record
from energax.recipe.reproduce.dual import experiment, plan, show


def told(record: Record) -> str:
    """The last measures of a run."""
    ends = ", ".join(f"{name} {record[name][-1]:.4g}" for name in experiment.MEASURES)
    return f"iteration {record['iteration'][-1]}: {ends}."


CHAPTER = Chapter(plan.PLANS, experiment.carried_out, told, show.write)
