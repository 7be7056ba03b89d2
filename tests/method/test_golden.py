"""Every method on every kind of data has the values of the table in golden.json: 3,900 of them.

A preset is changed there and here together, on purpose, and never by the way.
"""

import json
from pathlib import Path

import pytest

from energax.method import KINDS, METHODS
from energax.options import leaves

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())

DERIVED = {
    "chain_noise": lambda method: method.chain.noise,
    "reinit_probability": lambda method: getattr(method, "restart", None),
    "encoder_width": lambda method: method.encoder_width,
}
"""Options whose value may be left to the method: what it then is.

Those that are left to the rows are null.
"""


def values(method):
    """Every option of a method, those that are None as what they stand for."""
    found = {leaf.key: leaf.of(method) for leaf in leaves(method)}
    left = {key: of(method) for key, of in DERIVED.items() if found.get(key, 0) is None}
    return found | left


def test_the_table_holds_every_method_and_kind_of_data():
    assert list(GOLDEN) == list(METHODS)
    assert all(tuple(kinds) == KINDS for kinds in GOLDEN.values())
    assert sum(len(found) for kinds in GOLDEN.values() for found in kinds.values()) == 3900


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", METHODS)
def test_a_preset_has_the_values_of_the_table(name, kind):
    assert values(METHODS[name].preset(kind)) == GOLDEN[name][kind]
