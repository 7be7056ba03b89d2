"""Rows filled in: by the distribution of Bayes in the user's units, and of nothing that is
hidden."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from agreement import conditional, have
from commands import as_a_user, energax, moons, refused, tiny
from PIL import Image

from energax import data
from energax.cli import hide_part
from energax.energy import Gaussian, GaussianMixture, free_axes
from energax.errors import Diverged
from energax.learner import TeachingPlayers
from energax.method import METHODS
from energax.model import Model, inpaint, load
from energax.model.inpainting import infer_known
from energax.network import Encoder, NoisyGenerator
from energax.options import replace
from energax.run import Folder

KEY, COUNT, STEPS = jax.random.key(5), 2000, 100
MEAN = np.array([100.0, -2.0, 0.5])
ROOT = np.array([[10.0, 0, 0], [0.6, 0.5, 0], [-0.002, 0.001, 0.003]])
COVARIANCE = ROOT @ ROOT.T
KNOWN = np.array([108.0, -1.8, 0.4985], np.float32)
ROWS = (MEAN + np.random.default_rng(0).normal(size=(500, 3)) @ ROOT.T).astype(np.float32)
"""Units that are far apart, so that one taken for another is seen."""

TRANSFORMS = {
    "standardise": data.standardise,
    "whiten": data.whiten,
    "box": data.scale_to_box,
}


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


def gaussian(name, method="nce", **options):
    """A model that is N(MEAN, COVARIANCE) in the user's units, behind a transform."""
    transform = TRANSFORMS[name](ROWS)
    points = [transform.encode(p, key=KEY)[0] for p in np.concatenate([MEAN[None], ROOT.T + MEAN])]
    mean, *ends = np.asarray(points, np.float64)
    root = np.stack(ends, axis=1) - mean[:, None]
    cholesky = np.linalg.cholesky(root @ root.T)
    energy = GaussianMixture(np.zeros(1), mean[None].astype(np.float32), cholesky[None])
    made = replace(METHODS[method].preset("plane"), **options)
    std = jnp.asarray(np.diagonal(cholesky), jnp.float32)
    base = Gaussian(jnp.asarray(mean, jnp.float32), std)
    schema = data.from_rows(ROWS).schema
    return Model(energy, base, transform, schema, made)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_hidden_numbers_have_their_conditional_distribution(name):
    """Two kinds of rows in one call: one number hidden, and two; scaled to be seen in float32."""
    hidden = np.array([[False, True, False], [True, False, True]])
    masks, rows = np.repeat(hidden, COUNT, axis=0), np.tile(KNOWN, (2 * COUNT, 1))
    model = gaussian(name)
    found = inpaint(model, np.where(masks, np.nan, rows), masks, STEPS, key=KEY)
    assert np.array_equal(found.rows[~masks], rows[~masks]), "to the bit"
    assert f"by {STEPS} Hamiltonian transitions" in found.words
    assert "draws of the base" in found.words
    scale = np.sqrt(np.diagonal(COVARIANCE))
    for mask, part in zip(hidden, np.split(found.rows, 2), strict=True):
        centre, precision = conditional(MEAN, COVARIANCE, mask, KNOWN)
        covariance = np.linalg.inv(precision)
        unit = scale[mask]
        u = (part[:, mask].astype(np.float64) - centre) / unit
        assert have(u, 0 * centre, covariance / np.outer(unit, unit))
        marginal = COVARIANCE[np.ix_(mask, mask)] / np.outer(unit, unit)
        assert not have(u, (MEAN[mask] - centre) / unit, marginal), "planted: nothing held"


def test_held_in_model_units_a_whitened_row_is_filled_wrongly(monkeypatch):
    """Planted: without the matrix of the transform the fill is of another distribution."""
    mask = np.array([True, False, False])
    masks, rows = np.tile(mask, (COUNT, 1)), np.tile(KNOWN, (COUNT, 1))
    monkeypatch.setattr("energax.model.inpainting._factor", lambda transform: None)
    u = inpaint(gaussian("whiten"), rows, masks, STEPS, key=KEY).rows[:, mask]
    centre, precision = conditional(MEAN, COVARIANCE, mask, KNOWN)
    assert not have(u, centre, np.linalg.inv(precision))


def test_short_runs_are_filled_by_their_own_chains():
    """Two steps of Langevin from the base distribution: mean and variance after each are known."""
    step = 0.1
    model = gaussian("standardise", method="shortrun", step_size=step, chain_steps=2)
    mask = np.array([False, True, False])
    rows = np.tile(KNOWN, (COUNT, 1))
    found = inpaint(model, rows, np.tile(mask, (COUNT, 1)), key=KEY)
    assert "by 2 Langevin steps as in training from draws of the base" in found.words
    scale, base = np.asarray(model.transform.std, float)[1], model.base
    centre, precision = (part.squeeze() for part in conditional(MEAN, COVARIANCE, mask, KNOWN))
    keep = 1 - step * precision * scale**2
    mean, variance = MEAN[1], float(base.std[1] * scale) ** 2
    for _ in range(2):
        mean, variance = centre + keep * (mean - centre), keep**2 * variance + 2 * step * scale**2
    u = found.rows[:, mask]
    assert have(u, mean, variance[None, None])
    after = keep**2 * variance + 2 * step * scale**2
    assert not have(u, centre + keep * (mean - centre), after[None, None]), "planted: a third step"


class Line(eqx.Module):
    """g(z) = 3 z on the first axis, z on the second."""

    def __call__(self, z):
        return jnp.array([3.0, 1.0]) * z


class Guess(eqx.Module):
    """An encoder's mean that is the row, and log-variance -1."""

    def __call__(self, x):
        return jnp.concatenate([x, -jnp.ones(2)])


@pytest.mark.parametrize("encoder", [None, Encoder(Guess(), 2)], ids=["prior", "encoder"])
def test_codes_are_inferred_from_what_is_known(encoder):
    """The first number hidden: its z keeps the prior, N(0, 1), the other has its posterior."""
    step, noise = 0.05, 0.5
    players = TeachingPlayers(None, NoisyGenerator(Line(), 2, noise), encoder)
    rows = jnp.tile(jnp.array([6.0, -1.0]), (COUNT, 1))
    hidden = np.array([True, False])
    axes, keys = jnp.asarray(free_axes(hidden), jnp.float32), jax.random.split(KEY, COUNT)
    z = infer_known(players, rows, axes, step, keys)
    precision = np.array([1.0, 1 + 1 / noise**2])
    mean = np.array([0.0, -1 / noise**2]) / precision
    assert have(z, mean, np.diag(1 / precision / (1 - step * precision / 2)))
    blind = infer_known(players, rows, jnp.asarray(free_axes(~hidden), jnp.float32), step, keys)
    assert not have(blind, mean, np.diag(1 / precision / (1 - step * precision / 2))), "planted"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Makes tiny runs on demand, each once: `runs(words)` is the folder."""
    folder, made = tmp_path_factory.mktemp("inpaint"), {}
    pl.DataFrame(moons(), schema=("height", "width")).write_csv(folder / "moons.csv")

    def run(words, source=None):
        if (words, source) not in made:
            made[words, source] = out = folder / str(len(made))
            method, *options = words.split()
            given = (*tiny(method), "--steps", 20, *options)
            said = energax("train", source or folder / "moons.csv", *given, "--out", out)
            assert said.status == 0, said
        return made[words, source]

    return run


COLD = "teaching --network conv --step-size 0.05 --chain-noise 0.01"


def test_what_is_hidden_is_never_read(runs, tmp_path):
    """Cold chains from the generator: the same fill whatever the hidden half holds."""
    run, found = runs(COLD, "digits"), {}
    test = Folder(run).dataset().test[:5]
    other = {"same": test, "hidden": test.copy(), "known": test.copy()}
    other["hidden"][:, :, :4] = 16 - test[:, :, :4]
    other["known"][:, :, 7] = 16 - test[:, :, 7]
    for name, rows in other.items():
        np.save(tmp_path / f"{name}.npy", rows)
        out = tmp_path / f"{name}.npz"
        words = ("inpaint", run, tmp_path / f"{name}.npy", "--hide", "left", "--out", out)
        said = energax(*words)
        assert said.status == 0, said
        assert "by 4 Langevin steps as in training from what the generator makes" in said.out
        with np.load(out, allow_pickle=False) as saved:
            found[name], hidden = saved["filled"], saved["hidden"]
    assert hidden[:, :, :4].all()
    assert not hidden[:, :, 4:].any()
    assert np.array_equal(found["same"], found["hidden"])
    assert np.array_equal(found["same"][:, :, 4:], test[:, :, 4:])
    assert not np.array_equal(found["same"][:, :, :4], found["known"][:, :, :4]), "planted"


def test_an_image_is_known_then_filled_then_as_it_was(runs, tmp_path):
    run, out = runs(COLD, "digits"), tmp_path / "x.png"
    test = Folder(run).dataset().test[:3]
    np.save(tmp_path / "rows.npy", test)
    said = energax("inpaint", run, tmp_path / "rows.npy", "--box", 0, 2, 3, 4, "--out", out)
    assert said.status == 0, said
    mask = np.zeros((8, 8), bool)
    mask[:3, 2:6] = True
    hidden, truth = np.tile(mask, (3, 1, 1)), test.astype(np.int64)
    model = load(run)
    mine = inpaint(model, test, hidden, key=jax.random.key(0)).rows.astype(np.int64)
    with Image.open(out) as picture:
        zoom = 512 // 30
        assert picture.size == (30 * zoom, 30 * zoom)
        shown = np.asarray(picture)[::zoom, ::zoom].astype(np.int64)
    for place, image in enumerate((np.where(mask, 8, truth[1]), mine[1], truth[1])):
        left = 10 * place + 1
        assert np.array_equal(shown[11:19, left : left + 8], np.round(255 * image / 16))
    error = float(said.out.rsplit(" ", 1)[1].rstrip(".\n"))
    assert error == pytest.approx(np.mean((mine - truth)[hidden] ** 2), rel=1e-3)


def test_empty_cells_are_filled_and_full_rows_left_alone(runs, tmp_path):
    rows = moons(310)[300:].astype(np.float32).astype(object)
    rows[:4, 0] = rows[4:7, 1] = ""
    lines = ["height,width", *(f"{one},{two}" for one, two in rows)]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    out = tmp_path / "x.csv"
    said = energax("inpaint", runs("nce"), tmp_path / "rows.csv", "--steps", 5, "--out", out)
    assert said.status == 0, said
    assert "Filled 7 numbers of 10 rows" in said.out
    assert "squared error" not in said.out, "nobody knows what was missing"
    found = pl.read_csv(out)
    assert found.columns == ["height", "width"]
    table, known = found.to_numpy(), moons(310)[300:]
    mask = rows == ""
    np.testing.assert_allclose(table[~mask], known[~mask].astype(np.float32), rtol=1e-6)
    assert np.all(np.isfinite(table))
    assert np.all(np.abs(table[:4, 0] - 100) < 100), "in the user's units"


SHAPES = {(4, 6): (slice(None), slice(None)), (4, 6, 3): (..., 0), (3, 4, 6): (0, ...)}


@pytest.mark.parametrize("shape", SHAPES)
def test_sides_of_images_of_every_layout(shape):
    whole = np.zeros(shape, int) + 1
    for side, count in {"left": 12, "right": 12, "top": 12, "bottom": 12, "middle": 8}.items():
        mask = hide_part(shape, side, None)
        assert mask[SHAPES[shape]].sum() == count
        assert mask.shape == shape
        assert whole[mask].sum() == count * (whole.size // 24)
    assert hide_part(shape, "left", None)[SHAPES[shape]][:, :3].all()
    assert hide_part(shape, "right", None)[SHAPES[shape]][:, 3:].all()
    assert hide_part(shape, "bottom", None)[SHAPES[shape]][2:].all()
    assert np.argwhere(hide_part(shape, None, (1, 2, 1, 3))[SHAPES[shape]]).tolist() == [
        [1, 2], [1, 3], [1, 4]
    ]  # fmt: skip


REFUSALS = {
    "nothing": ("nce", "rows.npy", "has no missing values: leave the unknown cells empty, or NaN"),
    "all": ("nce", "blank.npy", "Data row 3 of blank.npy has no known number"),
    "infinite": ("nce", "far.npy", "far.npy: column 1 has 1 infinite cell, in data row 1"),
    "width": ("nce", "wide.npy", "wide.npy has 3 columns; the model was trained on 2"),
    "no image": (
        "nce",
        "rows.npy --hide left",
        "--hide is for images, and a row of moons.csv is none",
    ),
    "no box": ("nce", "rows.npy --box 0 0 1 1", "--box is for images"),
    "steps": ("nce", "gaps.npy --steps 0", "--steps must be at least 1; got 0"),
    "picture": ("nce", "gaps.npy --png", "is no image; use .csv"),
    "both": (COLD, "images.npy --hide top --box 0 0 2 2", "give one of them"),
    "outside": (COLD, "images.npy --box 6 0 3 2", "--box 6 0 3 2 is not inside images of 8 by 8"),
    "whole": (COLD, "images.npy --box 0 0 8 8", "Data row 1 of images.npy has no known number"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_in_one_sentence(what, runs, tmp_path):
    method, words, sentence = REFUSALS[what]
    gaps = moons(20)
    gaps[0, 0] = np.nan
    blank, far = gaps.copy(), gaps.copy()
    blank[2], far[0, 0] = np.nan, np.inf
    wide = np.random.default_rng(0).normal(size=(20, 3))
    files = {"rows": moons(20), "gaps": gaps, "blank": blank, "far": far, "wide": wide}
    for name, rows in (files | {"images": data.digits().test[:4]}).items():
        np.save(tmp_path / f"{name}.npy", rows)
    run = runs(method, "digits" if method == COLD else None)
    name, *options = words.split()
    out = tmp_path / ("x.png" if "--png" in options else "x.csv")
    options = [word for word in options if word != "--png"]
    assert sentence in refused(energax("inpaint", run, tmp_path / name, *options, "--out", out))
    assert not out.exists()


def test_chains_that_run_off_are_reported():
    model = gaussian("standardise", method="shortrun", step_size=50.0, chain_steps=100)
    mask = np.tile([False, True, False], (3, 1))
    with pytest.raises(Diverged, match="The chains on the hidden numbers run off"):
        inpaint(model, np.tile(KNOWN, (3, 1)), mask, key=KEY)
