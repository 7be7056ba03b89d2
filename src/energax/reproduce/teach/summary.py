"""The experiments of this paper, and one line for each of its runs."""

from energax.reproduce.experiment import Experiment, Record
from energax.reproduce.teach import plan, running, show


def summarise(record: Record) -> str:
    """What a run came to."""
    parts = [f"{1000 * record['seconds']:.0f} ms per update"] if "seconds" in record else []
    if "frechet" in record:
        parts.append(
            "Fréchet distance " + " to ".join(f"{value:.3g}" for value in record["frechet"])
        )
    if record.get("errors"):
        errors = record["errors"]
        parts.append(f"squared error {errors[0]:.3g} to {errors[-1]:.3g}")
    for score, found in record.get("detection", {}).items():
        shares = ", ".join(f"{name} {100 * each['auroc'][0]:.1f}" for name, each in found.items())
        parts.append(f"AUROC of {score}: {shares}")
    return "; ".join(parts) + "."


EXPERIMENT = Experiment(plan.PLANS, running.run, summarise, show.write)
