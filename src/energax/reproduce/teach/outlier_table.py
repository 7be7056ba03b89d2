"""How well each score finds rows from outside the data, as Markdown."""

from energax.reproduce.experiment import Records, Runs, fine, markdown

FIGURES = {
    "auroc": "AUROC: the chance that a row from outside has the higher score",
    "aupr": "AUPR: average precision, rows from outside being what is to be found",
    "fpr95": "FPR95: false alarms where 95% of the rows from outside are found; lower is better",
}

_WORDS = (
    "In percent, 5,000 test rows of Fashion-MNIST against 5,000 rows from outside: mean over "
    "{seeds} seeds [least lower end, greatest upper end of the 95% bootstrap intervals of a "
    "seed]."
)


def table(runs: Runs) -> str:
    """The whole table.md of `teaching-outliers`."""
    seeds = max(len(records) for records in runs.values())
    parts = ["# teaching-outliers\n", _WORDS.format(seeds=seeds) + "\n"]
    for figure, words in FIGURES.items():
        parts += [f"## {words}\n", markdown(_lines(runs, figure))]
    return "\n".join(parts)


def _lines(runs: Runs, figure: str) -> list[list[str]]:
    lines: list[list[str]] = []
    for setting, every in runs.items():
        records = fine(every)
        lost = len(every) - len(records)
        for score in records[0]["detection"] if records else ():
            kinds = list(records[0]["detection"][score])
            if not lines:
                lines.append(["players", "score", *kinds])
            label = setting.label + (f" ({lost} diverged)" if lost else "")
            figures = [_cell(records, score, kind, figure) for kind in kinds]
            lines.append([label, score, *figures])
    return lines or [["players", "score"]]


def _cell(records: Records, score: str, kind: str, figure: str) -> str:
    """Interval ends are (value, lower, upper) of each seed."""
    found = [record["detection"][score][kind][figure] for record in records]
    values, lower, upper = zip(*found, strict=True)
    mean = 100 * sum(values) / len(values)
    return f"{mean:.1f} [{100 * min(lower):.1f}, {100 * max(upper):.1f}]"
