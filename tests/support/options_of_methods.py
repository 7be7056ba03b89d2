"""Other values of the options of every method, for tests of what is written and read back."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from energax.errors import InputError
from energax.method import METHODS
from energax.options import leaves, replace

QUICK = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


def values_of(leaf):
    """Other values of an option than many a preset has, all of them in its range."""
    if leaf.choices:
        return st.sampled_from(leaf.choices)
    if leaf.plain is bool:
        return st.booleans()
    low = leaf.allowed.low
    high = min(leaf.allowed.high, low + 1000)
    inside = {"exclude_min": leaf.allowed.open_low, "exclude_max": leaf.allowed.open_high}
    whole = leaf.plain is int
    found = st.integers(int(low), int(high)) if whole else st.floats(low, high, **inside)
    return st.one_of(st.none(), found) if leaf.optional else found


CHOICES = {
    name: st.lists(
        st.one_of([st.tuples(st.just(leaf.key), values_of(leaf)) for leaf in leaves(method)]),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ).map(dict)
    for name, method in METHODS.items()
}
"""Some options of each method, with other values."""


def change(preset, chosen):
    """The preset, the same with other values, and those; one that its own rules refuse is kept."""
    try:
        return preset, replace(preset, **chosen), chosen
    except InputError:
        return preset, preset, {}
