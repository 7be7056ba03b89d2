"""The list of planted faults keeps up with the package: each text is there once, each test exists.

Whether the tests notice is what `benchmarks/mutants.py` prints.
"""

import re

import pytest
from benchmarks.mutants import ROOT, SOURCE, Mutant, read_list

MUTANTS = read_list()
ROOMS = {"network", "energy", "data", "sampler", "objective", "learner", "train", "evaluate"}
ROOMS |= {"method", "model", "run", "report", "cli"}


def missing(tests):
    """Those of some tests that no file holds."""
    found = []
    for test in tests:
        path, _, name = test.partition("::")
        file = ROOT / path
        text = file.read_text() if file.exists() else ""
        if f"def {name.partition('[')[0]}" not in text:
            found.append(test)
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault)
def test_a_planted_fault_has_one_place_and_tests(mutant):
    changed = mutant.apply(SOURCE)
    compile(changed, mutant.file, "exec")
    assert changed != (SOURCE / mutant.file).read_text()
    assert mutant.tests
    assert missing(mutant.tests) == []


def test_every_room_has_faults_and_all_differ():
    assert len(MUTANTS) >= 60
    assert {mutant.room for mutant in MUTANTS} >= ROOMS
    assert len({mutant.fault for mutant in MUTANTS}) == len(MUTANTS)


def test_a_text_that_is_gone_and_a_test_that_is_none_are_seen():
    """Negative control."""
    gone = Mutant("none", "suggest.py", "no such text", "", ("tests/none.py::test_none",))
    with pytest.raises(ValueError, match="0 places hold"):
        gone.apply(SOURCE)
    assert missing(gone.tests) == list(gone.tests)


def test_the_page_lists_them_all_and_19_of_20_are_noticed():
    page = (ROOT / "docs" / "mutants.md").read_text()
    lines = re.findall(r"^\| (\w+) \| (.*) \| (`.*`|no test) \|$", page, re.M)
    assert [(room, fault) for room, fault, _ in lines] == [(m.room, m.fault) for m in MUTANTS]
    noticed = [test for _, _, test in lines if test != "no test"]
    assert len(noticed) >= 0.95 * len(lines)
    assert f"{len(noticed)} of {len(lines)} are noticed" in page
