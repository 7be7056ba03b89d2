"""A run goes on from its checkpoint bit for bit; a damaged file is refused, never half-read."""

import json
import os
import re
import signal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Bowl
from training import chunks, create, learner, same

from energax.errors import InputError
from energax.train import Bar, Checkpoints, Interrupt, Log, read_weights, write_weights


@pytest.mark.parametrize("name", ["dsm", "pcd"])
def test_a_run_split_in_two_is_the_same_run_bit_for_bit(name, key, tmp_path):
    made = learner(name)
    whole, metrics = chunks(made, create(made, key), 4)
    half, _ = chunks(made, create(made, key), 2)
    Checkpoints(tmp_path / "run").save(half)
    again = Checkpoints(tmp_path / "run").restore(create(made, jax.random.key(99)))
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
    run, saved = create(made, key), Checkpoints(tmp_path / "run", keep=2)
    assert saved.newest() is None
    with pytest.raises(InputError, match="holds no checkpoint to resume from: train it again"):
        saved.restore(run)
    for _ in range(3):
        run, _ = chunks(made, run, 1)
        saved.save(run)
    saved.save(run)
    assert saved.newest() == 15
    names = ["10.safetensors", "15.safetensors"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == names
    assert int(saved.restore(create(made, key)).step) == 15


def test_a_checkpoint_of_other_code_is_refused(key, tmp_path):
    Checkpoints(tmp_path / "run").save(create(learner("dsm"), key))
    says = r"5?0.safetensors does not fit this run: state\..* should have shape .*, found nothing"
    with pytest.raises(InputError, match=says):
        Checkpoints(tmp_path / "run").restore(create(learner("pcd"), key))


ABOUT = {"config.json": {"options": {"width": 8, "tags": [1]}}, "base.safetensors": "ab"}
CHANGES = {  # what it is now -> what the sentence says
    "width": (
        {"config.json": {"options": {"width": 16, "tags": [1]}}, "base.safetensors": "ab"},
        "config.json has changed since, options.width was 8 and is 16 now; put the old one back.",
    ),
    "less": (
        {"config.json": {"options": {"width": 8}}, "base.safetensors": "ab"},
        "config.json has changed since, options.tags was [1] and is null now; put the old",
    ),
    "file": (
        ABOUT | {"base.safetensors": "cd"},
        "base.safetensors has changed since; put the old one back.",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_that_changed_is_named_and_its_checkpoint_kept(change, key, tmp_path):
    now, says = CHANGES[change]
    run, folder = create(learner("dsm"), key), tmp_path / "run"
    Checkpoints(folder, about=ABOUT).save(run)
    for look in (lambda saved: saved.check(), lambda saved: saved.restore(run)):
        with pytest.raises(InputError, match=re.escape(f"does not fit this run: {says}")):
            look(Checkpoints(folder, about=now))
        assert same(run, Checkpoints(folder, about=ABOUT).restore(run)), "control: nothing changed"


def test_what_lies_among_checkpoints_is_left_alone(key, tmp_path):
    made, folder = learner("dsm"), tmp_path / "run"
    folder.mkdir()
    for name in ("90", "95.safetensors", "tmp.old"):
        (folder / name).mkdir()
    for name in ("best.safetensors", "07.safetensors", ".99.safetensors.draft", "99.txt"):
        (folder / name).touch()
    others = set(folder.iterdir())
    run, saved = create(made, key), Checkpoints(folder, keep=1)
    assert saved.newest() is None
    for _ in range(2):
        run, _ = chunks(made, run, 1)
        saved.save(run)
    assert saved.newest() == 10
    assert same(saved.restore(run), run)
    assert set(folder.iterdir()) == others | {folder / "10.safetensors"}


def flipped(path, at):
    """One bit of a byte is another."""
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 0x01
    path.write_bytes(bytes(data))


def cut(path, at):
    path.write_bytes(path.read_bytes()[: int(at * path.stat().st_size)])


DAMAGES = {"flipped": flipped, "cut": cut}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("at", [0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_damage_anywhere_is_called_damage(damage, at, key, tmp_path):
    """In the header, in what the run is, in the arrays: never another run, never another error."""
    run, saved = create(learner("pcd"), key), Checkpoints(tmp_path / "run", about=ABOUT)
    saved.save(run)
    path = tmp_path / "run" / "0.safetensors"
    whole = path.read_bytes()
    DAMAGES[damage](path, at)
    with pytest.raises(InputError, match=r"0.safetensors is damaged: delete it to go on from the"):
        saved.restore(run)
    path.write_bytes(whole)
    assert same(saved.restore(run), run)


def test_the_names_and_types_of_arrays_are_under_the_digest(key, tmp_path):
    """Bytes that read well as another type, or under another name, are damage too."""
    path = tmp_path / "w.safetensors"
    write_weights(path, PARTS)
    whole = path.read_bytes()
    for old, new in ((b'"F64"', b'"I64"'), (b"weights.mean", b"weights.neam")):
        assert old in whole
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(InputError, match="is damaged"):
            read_weights(path, PARTS)


PARTS = {"weights": Bowl(jnp.asarray([1.0, 2.0]), jnp.asarray([0.5, 3.0]))}


def test_weights_go_out_and_come_back(precision, tmp_path):
    parts = {"weights": Bowl(jnp.ones(3), jnp.full(3, 2.0)), "average": jnp.arange(4.0)}
    write_weights(tmp_path / "w.safetensors", parts)
    like = jax.tree.map(jnp.zeros_like, parts)
    found = read_weights(tmp_path / "w.safetensors", like)
    assert eqx.tree_equal(found, parts)
    assert found["average"].dtype == precision
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match=r"w.safetensors is missing: resume the run"):
        read_weights(path, PARTS)
    for harm in DAMAGES.values():
        write_weights(path, PARTS)
        harm(path, 0.9)
        with pytest.raises(InputError, match=r"w.safetensors is damaged: train the run again"):
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


LINES = [{"step": step, "loss": step / 10, "seconds": 1.0} for step in (5, 10, 15)]


def test_the_log_forgets_what_came_after_and_a_line_cut_short(tmp_path):
    log = Log(tmp_path / "metrics.jsonl")
    assert log.read() == []
    assert log.empty
    for line in LINES:
        log.write(line)
    assert not log.empty
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')
    assert log.read() == LINES
    log.rewind(10)
    last = LINES[2] | {"loss": 7.0}
    log.write(last)
    assert log.read() == [*LINES[:2], last]
    texts = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in texts] == log.read()


@pytest.mark.parametrize(
    "garbage", [b"\0\0\n", b"\xff{}\n", b"{}\n", b'{"step": 5, "seconds": 1}\n']
)
def test_what_a_crash_leaves_after_the_checkpoint_does_not_matter(garbage, tmp_path):
    """And before it, it does."""
    path = tmp_path / "metrics.jsonl"
    for line in LINES:
        Log(path).write(line)
    path.write_bytes(path.read_bytes() + garbage)
    whole = path.read_bytes()
    for step, left in ((15, LINES), (10, LINES[:2]), (7, LINES[:1]), (0, [])):
        path.write_bytes(whole)
        Log(path).rewind(step)
        assert Log(path).read() == left
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"metrics.jsonl is damaged in line 4: "):
        Log(path).rewind(20)
    assert path.read_bytes() == whole


def test_the_log_is_strict_json(tmp_path):
    log = Log(tmp_path / "metrics.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.write({"step": 1, "loss": float("nan"), "seconds": 1.0})
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
