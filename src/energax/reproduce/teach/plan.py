"""What is run under each name: members of the family of teaching, on images of two sizes."""

import dataclasses
from typing import Literal

Images = Literal["fashion-mnist", "mnist"]
Posterior = Literal["encoder", "prior", "persistent", "variational", "none"]


@dataclasses.dataclass(frozen=True)
class Setting:
    """One line of tables. All networks are perceptrons with two hidden layers of `width`.

    `pool`: images are means over squares of this side.
    `chain` and `latent_chain`: steps on x and on z; with `pathwise_weight`, the generator follows
    the energy's gradient instead. `learner` "pcd" is one energy alone, by persistent chains,
    "plane" no energy but principal components. `scored`: is it measured by how well it detects rows
    from outside the data?
    """

    word: str
    label: str
    data: Images
    pool: int
    rows: int
    width: int
    learner: Literal["teaching", "pcd", "plane"] = "teaching"
    energy: Literal["perceptron", "autoencoder"] = "perceptron"
    posterior: Posterior = "encoder"
    chain: int = 30
    latent_chain: int = 10
    generator_weight: float = 1.0
    encoder_weight: float = 0.1
    pathwise_weight: float = 0.0
    latent: int = 32
    steps: int = 1000
    scored: bool = False
    pictured: bool = False


TITLES: dict[Images, str] = {"fashion-mnist": "Fashion-MNIST", "mnist": "MNIST"}

MAIN, ON_X, ON_Z, FAMILY = "28 x 28", "steps on x", "steps on z", "the family"
OUTLIERS = "outliers"


def _small(data: Images) -> Setting:
    """The setting of Cui and Han, on images of 14 x 14, which the ablations change."""
    return Setting(
        word=f"{data}-base",
        label="encoder, z 10, x 30",
        data=data,
        pool=2,
        rows=10_000,
        width=256,
    )


def _grid(data: Images) -> list[Setting]:
    """The ablations."""
    base, change = _small(data), dataclasses.replace

    def other(word: str, label: str, like: Setting = base) -> Setting:
        return change(like, word=f"{data}-{word}", label=label)

    silent = change(base, posterior="variational", latent_chain=0)
    return [
        base,
        change(other("x10", "encoder, z 10, x 10"), chain=10),
        change(other("x20", "encoder, z 10, x 20"), chain=20),
        change(other("x50", "encoder, z 10, x 50"), chain=50),
        change(other("noise10", "noise, z 10, x 30"), posterior="prior"),
        change(other("noise30", "noise, z 30, x 30"), posterior="prior", latent_chain=30),
        change(other("encoder30", "encoder, z 30, x 30"), latent_chain=30),
        change(other("kept", "kept chains, no encoder"), posterior="persistent"),
        other("variational", "variational encoder, x 30", silent),
        change(other("cooperative", "cooperative: nothing infers"), posterior="none"),
        change(
            other("triangle", "divergence triangle: no chains", silent),
            chain=0,
            generator_weight=0.0,
            pathwise_weight=1.0,
        ),
        change(other("no-energy", "no energy"), chain=0, generator_weight=0.0),
    ]


def _main(data: Images) -> Setting:
    return dataclasses.replace(
        _small(data),
        word=f"{data}-large",
        pool=1,
        rows=60_000,
        width=512,
        pictured=True,
    )


def _outliers() -> list[Setting]:
    base = dataclasses.replace(_main("fashion-mnist"), scored=True, pictured=False)
    change = dataclasses.replace
    found = [
        change(
            base,
            word=f"{learner}-{energy}",
            label=f"{learner}, {energy}",
            learner=learner,
            energy=energy,
        )
        for learner in ("teaching", "pcd")
        for energy in ("perceptron", "autoencoder")
    ]
    return [*found, change(base, word="plane", label="no training", learner="plane")]


PLANS: dict[str, tuple[Setting, ...]] = {
    "teaching-mnist": tuple(setting for data in TITLES for setting in [*_grid(data), _main(data)]),
    "teaching-outliers": tuple(_outliers()),
}
"""Name of an experiment to its settings, in the order of its tables."""
