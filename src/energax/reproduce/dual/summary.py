"""The experiments of this paper, and one line for each of its runs."""

from energax.reproduce.dual import plan, running, show
from energax.reproduce.experiment import Experiment, Record


def summarise(record: Record) -> str:
    """The last measures of a run."""
    ends = ", ".join(f"{name} {record[name][-1]:.4g}" for name in running.MEASURES)
    return f"iteration {record['iteration'][-1]}: {ends}."


EXPERIMENT = Experiment(plan.PLANS, running.run, summarise, show.write)
