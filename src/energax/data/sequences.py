"""How much sequences that are alike count."""

import numpy as np
from jaxtyping import Bool, Float, Integer

ALIKE = 0.8
"""Sequences that agree at more than this share of their sites count as one."""

BLOCK = 1024
"""Sequences that are compared with all others at a time."""


def weigh_sequences(
    rows: Integer[np.ndarray, " size sites"], identity: float = ALIKE
) -> Float[np.ndarray, " size"]:
    """The weight of each sequence: 1 / how many agree with it at more than `identity` of the sites.

    A sequence counts itself; a gap agrees with a gap. The sum of the weights is the effective
    number of sequences.

    Args:
        rows: whole numbers, such as the places of letters in an alphabet.
        identity: in [0, 1).

    Raises:
        ValueError: for another `identity`.

    Example:
        >>> ex.data.weigh_sequences(np.array([[0, 1, 2], [0, 1, 1], [3, 3, 3]]), 0.5).tolist()
        [0.5, 0.5, 1.0]
    """
    if not 0 <= identity < 1:
        raise ValueError(f"`identity` must be in [0, 1); got {identity}.")
    blocks = np.split(rows, range(BLOCK, len(rows), BLOCK))
    return 1.0 / np.concatenate([_are_alike(one, rows, identity).sum(axis=1) for one in blocks])


def _are_alike(
    block: Integer[np.ndarray, " some sites"],
    rows: Integer[np.ndarray, " size sites"],
    identity: float,
) -> Bool[np.ndarray, " some size"]:
    """Whether each sequence of a block and each of all agree at enough sites.

    Their number is a sum over letters of products of zeros and ones, which float32 holds exactly.
    """
    found = np.zeros((len(block), len(rows)), np.float32)
    for letter in np.unique(block):
        found += (block == letter).astype(np.float32) @ (rows == letter).astype(np.float32).T
    # A quotient, rounded as `identity` is: 0.29 of 100 sites is 29, and not a little less.
    return found.astype(np.float64) / rows.shape[1] > identity
