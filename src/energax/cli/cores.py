"""The cores of the CPU as devices of JAX, so that a batch can be spread over them."""

import os
from collections.abc import MutableMapping

FLAG = "--xla_force_host_platform_device_count"
"""XLA's own: as how many devices the cores of a CPU appear."""

MOST = 4
"""Devices: with more, each would have too few rows of a batch."""


def offer_cores(environment: MutableMapping[str, str]) -> None:
    """Let the cores appear as devices. Must come before JAX is imported.

    A choice of the user's own is left as it is.
    """
    flags = environment.get("XLA_FLAGS", "")
    if FLAG not in flags:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        environment["XLA_FLAGS"] = f"{flags} {FLAG}={min(cores or 1, MOST)}".strip()
