"""The page of a run folder."""

from energax import report
from energax.data import Dataset
from energax.files import write_text
from energax.model import Measured, config
from energax.progress import stage
from energax.report.collecting import collect_results
from energax.run.evaluating import read_measured
from energax.run.folder import Folder
from energax.run.hold import hold_run
from energax.train import Log


def write_report(
    folder: Folder, rows: Dataset | None = None, measured: Measured | None = None
) -> None:
    """Write report.html of an evaluated run.

    `rows`, `measured`: its data set and what was measured, where they are at hand. Raises
    InputError where the run is not evaluated, or where another process works in the folder.
    """
    with hold_run(folder), stage("writing the report"):
        folder.evaluation()
        known = folder.dataset() if rows is None else rows
        command, versions = (config.read_entry(folder.path, n) for n in ("command", "versions"))
        found = read_measured(folder, known) if measured is None else measured
        page = collect_results(
            found.model,
            found,
            rows=known,
            metrics=Log(folder["metrics.jsonl"]).read(),
            command=command,
            versions=versions,
        )
        write_text(folder["report.html"], report.render_page(page))
