"""Files are complete or not there at all, on disk before they have their names, from one place."""

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import energax
from energax import files
from energax.drafts import draft_folder
from energax.errors import InputError
from energax.train import Log, write_weights

SOURCE = Path(energax.__file__).parent


@pytest.fixture
def events(monkeypatch):
    """What is asked of the disk, in order: (what, the name of the file or folder)."""
    found = []
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def log_sync(number):
        found.append(("sync", Path(os.readlink(f"/proc/self/fd/{number}")).name))
        fsync(number)

    def log_move(move):
        def moved(self, target):
            found.append(("move", Path(target).name))
            return move(self, target)

        return moved

    monkeypatch.setattr(os, "fsync", log_sync)
    monkeypatch.setattr(Path, "replace", log_move(replace))
    monkeypatch.setattr(Path, "rename", log_move(rename))
    return found


WRITERS = {
    "bytes": lambda path: files.write_bytes(path, b"new"),
    "text": lambda path: files.write_text(path, "new"),
    "json": lambda path: files.write_json(path, {"new": 1}),
    "weights": lambda path: write_weights(path, {}),
    "log": lambda path: Log(path).rewind(3),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_is_on_disk_before_its_name_and_the_name_before_the_end(writer, tmp_path, events):
    WRITERS[writer](tmp_path / "a")
    assert events == [("sync", ".a.draft"), ("move", "a"), ("sync", tmp_path.name)]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_gets_its_name_last(tmp_path, events):
    with draft_folder(tmp_path / "run") as draft:
        files.write_text(draft / "a", "new")
        assert not (tmp_path / "run").exists()
    name = f".run.{os.getpid()}.draft"
    folder = [("sync", name), ("move", "run"), ("sync", tmp_path.name)]
    assert events == [("sync", ".a.draft"), ("move", "a"), ("sync", name), *folder]
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "a"]


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail(*_):
    raise FULL


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failure_keeps_what_was_there_and_names_the_file(step, tmp_path, monkeypatch):
    path = tmp_path / "a"
    files.write_text(path, "old")
    place = os if step == "fsync" else Path
    monkeypatch.setattr(place, {"write": "write_bytes"}.get(step, step), fail)
    FULL.filename = None
    with pytest.raises(OSError, match="No space") as failure:
        files.write_text(path, "new")
    assert failure.value.filename == str(path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_another_process_made_meanwhile_is_kept(tmp_path):
    def make_both():
        with draft_folder(tmp_path / "run"):
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "other").touch()

    with pytest.raises(InputError, match="run exists already: choose another name"):
        make_both()
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "other"]


DRAFT = """
import sys, pathlib
from energax.drafts import draft_folder
with draft_folder(pathlib.Path(sys.argv[1])) as draft:
    (draft / "half").touch()
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DRAFT, tmp_path / name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("dead", "alive")
    ]
    for process in processes:
        assert process.stdout.readline() == "writing\n"
    dead, alive = processes
    dead.kill()
    dead.wait()
    left = [f".dead.{dead.pid}.draft", f".alive.{alive.pid}.draft"]
    assert {path.name for path in tmp_path.iterdir()} == set(left), "control: it is left"
    with draft_folder(tmp_path / "run"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"run", left[1]}
    alive.communicate()
    assert {path.name for path in tmp_path.iterdir()} == {"run", "alive"}
    assert list((tmp_path / "alive").iterdir()) == [tmp_path / "alive" / "half"]


def test_a_line_is_added_at_the_end(tmp_path):
    for line in ("one", "two"):
        files.append_line(tmp_path / "a", line)
    assert (tmp_path / "a").read_text() == "one\ntwo\n"


def writes(text):
    """Calls that write a file by themselves: `path.write_text(...)`, `open(path, "w")`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")
            words = [one.value for one in node.args if isinstance(one, ast.Constant)]
            opens = name[2] == "open" and any(word in ("w", "wb", "a", "ab", "x") for word in words)
            if opens or (name[0] and name[2] in ("write_text", "write_bytes")):
                found.append(ast.unparse(node))
    return found


def test_one_place_writes_files():
    texts = {path: path.read_text() for path in SOURCE.rglob("*.py") if path != SOURCE / "files.py"}
    assert {path: writes(text) for path, text in texts.items() if writes(text)} == {}


def test_another_place_that_writes_is_seen():
    """Negative control; and the one place does write."""
    assert writes('p.write_text("x")\nopen(p, "w")\nq.open("a")\nq.open("rb")') == [
        "p.write_text('x')",
        "open(p, 'w')",
        "q.open('a')",
    ]
    assert writes((SOURCE / "files.py").read_text())
