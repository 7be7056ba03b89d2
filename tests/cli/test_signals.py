"""Ctrl-C and SIGTERM, in real processes: one sentence and the right status, wherever they fall."""

import os
import signal
import subprocess
import sys
import time

import pytest
from commands import energax, tiny

from energax.model import fitting
from energax.train import Checkpoints, Log

SCRIPT = """
import importlib.abc, signal, sys

class Lost:
    def __del__(self):
        signal.raise_signal({number})

class Trap(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {act}

sys.meta_path.insert(0, Trap())
sys.argv = ["energax", *{words!r}]
from energax.cli import main
main()
"""

RAISE, LOSE = "signal.raise_signal({number})", "Lost()"

PLACES = {  # name -> (signal, module at whose import it comes, how, words)
    "Ctrl-C in an import": (signal.SIGINT, "numpy", RAISE, "score run rows.csv --out s.csv"),
    "SIGTERM in an import": (signal.SIGTERM, "equinox", RAISE, "report run"),
    "Ctrl-C in a destructor": (signal.SIGINT, "energax.method.table", LOSE, "methods"),
    "SIGTERM in a destructor": (signal.SIGTERM, "energax.method.table", LOSE, "methods"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_signal_stops_a_command_with_one_sentence(place, tmp_path):
    number, module, act, words = PLACES[place]
    script = SCRIPT.format(
        number=int(number), module=module, act=act.format(number=int(number)), words=words.split()
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (128 + number, "energax: Stopped.\n")
    assert done.stdout.count("\n") < 5, "it did not go on"


def test_sigterm_in_training_saves_and_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    words = ("train", "two-moons", *tiny("dsm"), "--steps", 10**6, "--out", run)
    process = subprocess.Popen(
        [sys.executable, "-c", "from energax.cli import main; main()", *map(str, words)],
        env=os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and Log(run / "metrics.jsonl").empty:
        time.sleep(0.01)
    process.terminate()
    _, said = process.communicate()
    step = Checkpoints(run / "checkpoints").newest()
    again = f"go on with: energax train --resume {run}"
    assert (process.returncode, said) == (143, f"energax: Stopped after {step} updates; {again}\n")
    assert Log(run / "metrics.jsonl").read()[-1]["step"] == step


def stop(*_):
    signal.raise_signal(signal.SIGINT)


def test_a_stop_before_the_first_update_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "start_run", stop)
    run = tmp_path / "run"
    # A shell that starts tests in the background has them ignore Ctrl-C.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        said = energax("train", "two-moons", *tiny(), "--out", run)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert said.status == 130
    assert said.err == f"energax: Stopped; go on with: energax train --resume {run}\n"
