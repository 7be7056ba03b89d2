"""Energy and log-density of rows in the user's units."""

import dataclasses
from pathlib import Path

from energax import cli, model, run
from energax.cli.common import rows_option, run_option
from energax.files import check_target
from energax.options import option
from energax.progress import show_stages, stage

ENDINGS = (".csv", ".parquet", ".npy")


@dataclasses.dataclass(frozen=True)
class Score:
    """Write the energy of each row of a file and, where log Z is certified, its log-density."""

    run: Path = run_option()
    rows: Path = rows_option()
    out: Path = option(
        "Where the scores go: .csv, .parquet or .npy; columns `energy` and `log_density`, nats; of "
        "mixed columns also `unusual`, the least expected one given the others, and its `excess`."
    )

    def __call__(self) -> None:
        check_target(self.out, ENDINGS)
        show_stages()
        with stage("loading the model"):
            trained = model.load(self.run)
            rows = run.read_rows(self.rows, trained.schema)
        with stage(f"scoring {len(rows)} rows"):
            scores = model.score_rows(trained, rows)
            log_z, why = model.known_log_z(trained)
            densities = None if log_z is None else scores.log_densities(log_z)
            unusual = None if trained.schema.kinds is None else model.find_unusual(trained, rows)
            cli.write_scores(self.out, scores.energies.mean(axis=0), densities, unusual)
        missing = "" if log_z is not None else f"; log_density is empty: {why}"
        print(f"Scored {len(rows)} rows into {self.out}{missing}.")
