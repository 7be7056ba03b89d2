"""A run goes on from its checkpoint bit for bit; a damaged file is refused, never half-read."""

import gc
import json
import os
import shutil
import signal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Bowl
from tests.train.test_train import begun, chunks, learner, same

from energax.errors import InputError
from energax.train import Bar, Checkpoints, Interrupt, Log, read_weights, write_weights


@pytest.mark.parametrize("name", ["dsm", "pcd"])
def test_a_run_split_in_two_is_the_same_run_bit_for_bit(name, key, tmp_path):
    made = learner(name)
    whole, metrics = chunks(made, begun(made, key), 4)
    half, _ = chunks(made, begun(made, key), 2)
    Checkpoints(tmp_path / "run").save(half)
    again = Checkpoints(tmp_path / "run").restore(begun(made, jax.random.key(99)))
    assert same(half, again)
    assert int(again.step) == 10
    end, rest = chunks(made, again, 2)
    assert same(whole, end)
    for part, values in rest.items():
        assert np.array_equal(values, metrics[part][10:])
    other = eqx.tree_at(lambda run: run.state.energy.mean, half, half.state.energy.mean + 1e-12)
    assert not same(half, other)  # negative control: one part in 10^12 is seen


def test_only_the_newest_are_kept_and_the_newest_is_restored(key, tmp_path):
    made = learner("dsm")
    run, saved = begun(made, key), Checkpoints(tmp_path / "run", keep=2)
    assert saved.newest() is None
    with pytest.raises(InputError, match="holds no checkpoint to resume from: train it again"):
        saved.restore(run)
    for _ in range(3):
        run, _ = chunks(made, run, 1)
        saved.save(run)
    saved.save(run)
    assert saved.newest() == 15
    assert sorted(p.name for p in (tmp_path / "run").iterdir() if p.name.isdigit()) == ["10", "15"]
    assert int(saved.restore(begun(made, key)).step) == 15


def test_a_checkpoint_of_another_run_is_refused(key, tmp_path):
    made = learner("dsm")
    Checkpoints(tmp_path / "run").save(begun(made, key))
    wider = begun(learner("pcd"), key)
    with pytest.raises(InputError, match=r"Checkpoint .* (is damaged|does not fit this run)"):
        Checkpoints(tmp_path / "run").restore(wider)


def flipped(path):
    """The middle byte, all bits over."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {"flipped": flipped, "cut": cut, "gone": lambda path: path.unlink()}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_is_refused_or_harmless(damage, key, tmp_path):
    """File by file: InputError, or the very same bits; never another run, never another error."""
    made = learner("pcd")
    run, whole = begun(made, key), tmp_path / "whole"
    Checkpoints(whole).save(run)
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.stat().st_size]
    files = [path for path in files if (whole / path).is_file()]
    like, told = begun(made, jax.random.key(3)), []
    for index, path in enumerate(files):
        folder = tmp_path / str(index)
        shutil.copytree(whole, folder)
        DAMAGES[damage](folder / path)
        try:
            found = Checkpoints(folder).restore(like)
        except InputError as error:
            told.append(str(error))
        else:
            assert same(found, run), path
    assert len(told) >= 3
    assert all("heckpoint" in words for words in told)
    # Reads that Orbax gave up complain when they are collected: here, where that is expected.
    gc.collect()


PARTS = {"weights": Bowl(jnp.asarray([1.0, 2.0]), jnp.asarray([0.5, 3.0]))}


def test_weights_go_out_and_come_back(precision, tmp_path):
    parts = {"weights": Bowl(jnp.ones(3), jnp.full(3, 2.0)), "average": jnp.arange(4.0)}
    write_weights(tmp_path / "w.safetensors", parts)
    like = jax.tree.map(jnp.zeros_like, parts)
    found = read_weights(tmp_path / "w.safetensors", like)
    assert eqx.tree_equal(found, parts)
    assert found["average"].dtype == precision
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_weights_are_refused(damage, tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, PARTS)
    DAMAGES[damage](path)
    with pytest.raises(InputError, match=r"is damaged .*train the run again|is missing"):
        read_weights(path, PARTS)


@pytest.mark.parametrize(
    "like",
    [
        {"weights": Bowl(jnp.zeros(3), jnp.ones(3))},
        {"other": Bowl(jnp.zeros(2), jnp.ones(2))},
    ],
    ids=["shape", "name"],
)
def test_weights_of_another_model_are_refused(like, tmp_path):
    write_weights(tmp_path / "w.safetensors", PARTS)
    with pytest.raises(InputError, match="does not fit this run"):
        read_weights(tmp_path / "w.safetensors", like)


LINES = [{"step": step, "loss": step / 10} for step in (5, 10, 15)]


def test_the_log_forgets_what_came_after_and_a_line_cut_short(tmp_path):
    log = Log(tmp_path / "metrics.jsonl")
    assert log.read() == []
    for line in LINES:
        log.write(line)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')
    assert log.read() == LINES
    log.rewind(10)
    log.write({"step": 15, "loss": 7.0})
    assert log.read() == [*LINES[:2], {"step": 15, "loss": 7.0}]
    texts = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in texts] == log.read()


def test_the_log_is_strict_json(tmp_path):
    log = Log(tmp_path / "metrics.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.write({"step": 1, "loss": float("nan")})
    assert log.read() == []


def test_the_first_interrupt_is_a_wish_and_the_second_an_order():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as wish:
        assert not wish.requested
        os.kill(os.getpid(), signal.SIGINT)
        assert wish.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with Interrupt() as wish:
        os.kill(os.getpid(), signal.SIGTERM)
        assert wish.requested


def test_the_bar_is_silent_where_no_person_looks(capfd):
    with Bar(total=10, done=5) as bar:
        bar.show(10, 3.0, {"loss": float("inf"), "slope": 1.0})
    assert "".join(capfd.readouterr()).strip() == ""
