"""Whether rows are bits or categories."""

from typing import Literal

from energax.data.rows import Table, check_states
from energax.errors import InputError
from energax.space.finite import MOST_STATES

States = int | Literal["auto"] | None
"""How many states a site has: a number, by the rule of `find_states`, or None for other rows."""

FEW, EACH = 20, 5
"""Whole numbers of at most `FEW` values, each of them in `EACH` rows on average, are categories."""


def set_states(table: Table, states: States) -> Table:
    """The rows as bits or categories, in uint8, where it is said or found that they are.

    Raises InputError for rows that are not what is said, ValueError for a number of states that no
    space has.
    """
    if states not in (None, "auto") and not 2 <= states <= MOST_STATES:
        raise ValueError(f"`states` must be from 2 to {MOST_STATES}, None or 'auto'; got {states}.")
    if table.letters is not None and states not in ("auto", len(table.letters)):
        raise InputError(
            f"{table.source} holds sequences of {len(table.letters)} letters: leave out `states`."
        )
    found = find_states(table) if states == "auto" else states
    return table if found is None else check_states(table, found)


def find_states(table: Table) -> int | None:
    """How many states the sites of a table have: one more than its largest number.

    Rows of any shape are bits where all are 0 or 1, and both occur. Rows of rank 2 are categories
    where all are whole numbers from 0 below `FEW`, of each of which there could be `EACH` rows.
    Files of a format that holds nothing else are either, however few their rows are. None for all
    else: real numbers, and images, also those of few levels.
    """
    if table.states is not None:
        return table.states
    rows = table.rows
    if table.whole:
        return max(2, int(check_states(table, MOST_STATES).rows.max()) + 1)
    low, high = rows.min(), rows.max()
    if low != 0 or not 1 <= high < FEW or (rows.ndim > 2 and high > 1):
        return None
    states = int(high) + 1
    enough = states == 2 or len(rows) >= EACH * states
    return states if enough and (rows % 1 == 0).all() else None
