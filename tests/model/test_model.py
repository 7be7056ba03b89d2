"""What a trained model answers, against direct computation, and how it comes back from disk."""

import functools
import json
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from commands import MIXTURE, as_a_user, energax, measured_briefly, tiny

import energax as ex
from energax import options as tree
from energax.errors import InputError
from energax.method import build

SMALL = {"steps": 20, "batch_size": 16, "width": 8, "depth": 1, "chunk_steps": 10}
each = eqx.filter_jit(lambda function, rows: jax.vmap(function)(rows))


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user(), measured_briefly():
        yield


@functools.cache
def moons():
    """Few rows of two moons."""
    return ex.data.two_moons(train=300, test=60)


@functools.cache
def trained(method, **options):
    """A tiny model; of digits where labels or images are wanted."""
    rows = ex.data.digits() if method == "joint" else moons()
    known = {leaf.key for leaf in tree.leaves(ex.method.METHODS[method])}
    extra = {"generator_width": 8, "rival_width": 8, "chain_steps": 4, "buffer_size": 64}
    given = {name: value for name, value in (SMALL | extra).items() if name in known}
    return ex.fit(rows, method=method, **given, **options)


def test_log_density_is_that_of_the_energy_and_integrates_to_one():
    model = trained("nce")
    low, high = moons().train.min(axis=0) - 9, moons().train.max(axis=0) + 9
    axes = [np.linspace(a, b, 300) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2).astype(np.float32)
    area = np.prod([axis[1] - axis[0] for axis in axes])
    total = np.sum(np.exp(model.log_density(points).astype(np.float64))) * area
    assert total == pytest.approx(1, abs=2e-3)
    y, log_det = build.encode(model.transform, moons().test, key=jax.random.key(0))
    direct = log_det - each(model.energy, y) - model.log_z.value
    assert np.allclose(model.log_density(moons().test), direct, atol=1e-5)
    assert np.allclose(model.energy_of(moons().test), each(model.energy, y), atol=1e-5)


def test_scores_are_slopes_of_the_log_density_in_model_units():
    model = trained("nce")
    y, _ = build.encode(model.transform, moons().test[:5], key=jax.random.key(0))
    step = 1e-2
    for axis in (0, 1):
        move = step * np.eye(2, dtype=np.float32)[axis]
        up, down = (each(model.energy, y + sign * move) for sign in (1, -1))
        found = model.score_rows(moons().test[:5])[:, axis]
        assert np.allclose(found, -(up - down) / (2 * step), atol=2e-2)


def still(x):
    return 0.0 * jnp.sum(x)


def test_samples_have_the_moments_of_a_known_distribution():
    """A base that nothing tilts: false alarm 1e-6, and a mean half a width off is seen."""
    model = trained("nce")
    base = ex.energy.Gaussian(np.array([1.0, -2.0], np.float32), 0.5)
    flat = ex.energy.Tilt(base, jax.tree_util.Partial(still))
    known = ex.Model(
        flat, base, ex.data.Pipeline(()), model.schema, model.method, measured_log_z=None
    )
    draws = known.sample(400, key=jax.random.key(1))
    assert agrees(draws[:, 0], 1.0)
    assert agrees(draws[:, 1], -2.0)
    assert agrees((draws[:, 0] - 1.0) ** 2, 0.25)
    assert not agrees(draws[:, 0], 1.25)
    assert float(known.certified_log_z) == pytest.approx(0, abs=1e-3)


def test_same_options_and_seed_give_the_run_of_the_command_line(tmp_path):
    rows = ex.data.two_moons()
    run, words = tmp_path / "run", ("--seed", 3, "--no-validation")
    said = energax("train", "two-moons", *tiny("dsm"), "--steps", 20, *words, "--out", run)
    assert said.status == 0, said
    options = {**SMALL, **MIXTURE, "validation": 0.0}
    ours, theirs = ex.fit(rows, method="dsm", seed=3, **options), ex.load(run)
    assert np.array_equal(ours.energy_of(rows.test[:50]), theirs.energy_of(rows.test[:50]))
    other = ex.fit(rows, method="dsm", seed=4, **options)
    assert not np.array_equal(ours.energy_of(rows.test[:50]), other.energy_of(rows.test[:50]))


class Bowl(eqx.Module):
    """E(x) = |x - centre|^2 / 2."""

    centre: jax.Array

    def __call__(self, x):
        return jnp.sum((x - self.centre) ** 2) / 2


@pytest.mark.parametrize("method", ["sm", "nce", "pcd"])
def test_an_energy_of_the_users_own_is_trained(method, tmp_path):
    rows = np.random.default_rng(0).normal([3.0, -1.0], 1.0, (200, 2)).astype(np.float32)
    blank = Bowl(jnp.array([0.5, 0.5]))
    options = {"steps": 200, "batch_size": 64, "learning_rate": 0.02, "ema_decay": 0.97}
    options |= {"validation": 0.0}
    model = ex.fit(rows, method=method, energy=blank, **options)
    inner = model.trained.energy if method == "nce" else model.trained
    assert np.all(np.abs(inner.network.centre) < 0.25), "model units: the mean of the rows is 0"
    model.save(tmp_path / "mine")
    again = ex.load(tmp_path / "mine", energy=blank)
    assert np.array_equal(again.energy_of(rows), model.energy_of(rows))


def test_arrays_and_frames_are_taken_alike():
    import polars as pl

    rows = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    options = {"method": "dsm", "steps": 4, "batch_size": 16, "width": 4, "chunk_steps": 2}
    model = ex.fit(rows, **options)
    frame = pl.DataFrame({"a": rows[:, 0], "b": rows[:, 1]})
    named = ex.fit(frame, **options)
    assert named.schema.columns == ("a", "b")
    assert np.array_equal(model.energy_of(rows), named.energy_of(frame))
    with pytest.raises(InputError, match="column"):
        named.energy_of(frame.select("b", "a"))
    with pytest.raises(InputError, match="data row 3"):
        model.energy_of(np.where(np.arange(80)[:, None] == 2, np.nan, rows))
    with pytest.raises(InputError, match="3 columns"):
        model.energy_of(np.zeros((4, 3)))


KINDS = ["nce", "pcd", "teaching", "f-js", "dsm-levels"]


@pytest.mark.parametrize("method", KINDS)
def test_a_saved_model_is_the_same_bits(method, tmp_path):
    model = trained(method)
    model.save(tmp_path / "model")
    again = ex.load(tmp_path / "model")
    assert again.method == model.method
    assert again.schema == model.schema
    rows = moons().test
    assert np.array_equal(again.energy_of(rows), model.energy_of(rows))
    for ours, theirs in zip(
        jax.tree.leaves(eqx.filter(model.players, eqx.is_array)),
        jax.tree.leaves(eqx.filter(again.players, eqx.is_array)),
        strict=True,
    ):
        assert np.array_equal(ours, theirs)
    if model.method.generates:
        key = jax.random.key(0)
        both = (one.sample(4, by="generator", key=key) for one in (model, again))
        assert np.array_equal(*both)
    with pytest.raises(InputError, match="exists already"):
        model.save(tmp_path / "model")


def test_a_measured_log_z_is_saved_too(tmp_path):
    measured = ex.measure(trained("nce"), moons(), compare=False)
    measured.model.save(tmp_path / "model")
    again = ex.load(tmp_path / "model")
    assert again.measured_log_z is not None
    assert again.log_z.value == pytest.approx(measured.model.log_z.value)
    assert again.log_z.certified == measured.model.log_z.certified


def test_codes_reconstructions_and_lines_are_what_the_generator_makes():
    model, key = trained("teaching"), jax.random.key(0)
    players = ex.model.find_generator(model)
    z = model.encode(moons().test[:6], key=key)
    made = each(model.transform.decode, each(players.generator, z))
    assert np.allclose(model.reconstruct(moons().test[:6], key=key), made, atol=1e-5)
    assert np.allclose(model.decode(z), made, atol=1e-5)
    lines = model.interpolate(moons().test[:3], moons().test[3:6], 5, key=key)
    assert lines.shape == (3, 5, 2)
    ends = model.reconstruct(moons().test[:6], key=key)
    assert np.allclose(lines[:, 0], ends[:3], atol=1e-5)
    assert np.allclose(lines[:, -1], ends[3:], atol=1e-5)
    with pytest.raises(InputError, match="has no generator"):
        trained("nce").encode(moons().test[:2], key=key)


def test_known_numbers_are_kept_where_others_are_filled_in():
    model = trained("nce")
    rows = moons().test[:4].copy()
    hidden = np.zeros(rows.shape, bool)
    hidden[:, 1] = True
    rows[hidden] = np.nan
    found = model.inpaint(rows, hidden, key=jax.random.key(0))
    assert np.array_equal(found[:, 0], rows[:, 0])
    assert np.all(np.isfinite(found))
    with pytest.raises(InputError, match="`hidden` has shape"):
        model.inpaint(rows, hidden[:, :1], key=jax.random.key(0))


def test_differences_from_baselines_are_paired():
    rows = moons()
    model = trained("nce")
    record = ex.measure(model, rows).record
    mine = model.log_density(rows.test).astype(np.float64)
    base = record["baselines"]["base distribution, before training"]["difference"]
    y, log_det = build.encode(model.transform, rows.test, key=jax.random.key(0))
    theirs = np.asarray(log_det - each(model.base, y) - float(model.base.log_z()), np.float64)
    assert base["value"] == pytest.approx(np.mean(mine - theirs), abs=1e-4)
    error = np.std(mine - theirs, ddof=1) / np.sqrt(len(mine))
    assert base["error"] == pytest.approx(error, rel=1e-2)
    gaussian = record["baselines"]["Gaussian"]
    likelihood = record["test_log_likelihood"]["value"]
    assert gaussian["difference"]["value"] == pytest.approx(
        likelihood - gaussian["value"], abs=1e-4
    )


def test_rows_alone_are_measured_without_baselines_and_reported(tmp_path):
    measured = ex.measure(trained("nce"), moons().test)
    assert set(measured.record["baselines"]) == {"base distribution, before training"}
    assert "true_distribution" not in measured.record
    ex.write_report(measured.model, measured, tmp_path / "page.html", train=moons().train)
    page = (tmp_path / "page.html").read_text()
    assert "noise-contrastive estimation" in page.lower()
    assert "<script" not in page


def test_no_log_density_is_given_where_log_z_is_not_certified():
    cold = trained("pcd", chain_noise=0.001)
    assert cold.cold
    with pytest.raises(InputError, match="There is no log-density"):
        cold.log_density(moons().test)
    assert np.all(np.isfinite(cold.energy_of(moons().test))), "energies need none"


DAMAGES = {
    "another version": (lambda c: c | {"version": 99}, "of another version"),
    "no method": (lambda c: {n: v for n, v in c.items() if n != "method"}, "lacks 'method'"),
    "a rate below 0": (
        lambda c: json.loads(json.dumps(c).replace('_rate": 0.005', '_rate": -1')),
        "--learning-rate must be above 0",
    ),
    "an unknown option": (
        lambda c: c | {"options": c["options"] | {"colour": 1}},
        "unknown option 'colour'",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_folder_is_refused_in_one_sentence(what, tmp_path):
    trained("nce").save(tmp_path / "model")
    damage, words = DAMAGES[what]
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        ex.load(tmp_path / "model")
    assert "\n" not in str(caught.value)


REFUSED = {
    "a misspelt option": (lambda: ex.fit(moons(), "nce", stepz=3), "did you mean steps?"),
    "another method's": (
        lambda: ex.fit(moons(), "nce", sigma_max=3.0),
        "`sigma_max` is not an option of nce; dsm-levels, recovery-levels have it.",
    ),
    "another's than that given": (
        lambda: ex.fit(moons(), ex.method.find_method("pcd").preset("plane"), radius=5.0),
        "`radius` is not an option of pcd; dual has it.",
    ),
    "a misspelt method": (lambda: ex.fit(moons(), "ncee"), "did you mean nce?"),
    "too few rows": (lambda: ex.fit(np.zeros((1, 2)), "nce"), "at least 2"),
    "one level": (lambda: ex.measure(trained("nce"), moons(), level=1.0), "between 0 and 1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_python_is_refused_in_one_sentence(what):
    call, words = REFUSED[what]
    with pytest.raises(InputError, match=re.escape(words)):
        call()


def test_a_row_that_is_too_far_to_have_an_energy_is_named():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    model = ex.fit(rows, method="nce", steps=2, batch_size=8, width=4, depth=1, components=1)
    rows[3] = 1e30
    with pytest.raises(
        InputError, match=r"The energy of 1 of 60 rows is not finite, first that of row 4"
    ):
        model.energy_of(rows)
    assert np.all(np.isfinite(model.energy_of(rows[:3])))
