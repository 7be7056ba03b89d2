"""What is timed: plain numbers that every side reads, so that none does less than another."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    """One thing to time.

    `method`: pcd, nce, dsm, ssm, or draw (chains only). `network`: mlp (2-128-128-1, SiLU) or conv
    (`energax.network.ConvNet` for 28 x 28). `updates`: of the weights; 0 for draw. `batch`: rows
    of data, or chains. `steps`: of each chain. `noise`: of the chain; for dsm of the data.
    `channels_last`: PyTorch keeps the weights of convolutions in that layout.
    """

    title: str
    method: str
    network: str = "mlp"
    updates: int = 1000
    batch: int = 256
    steps: int = 0
    step_size: float = 1e-2
    noise: float = (2 * 1e-2) ** 0.5
    rate: float = 1e-3
    repeats: int = 3
    channels_last: bool = False


BUFFER = 8192
FRESH = 0.05
NOISE_RATIO = 4

_CONV = Workload(
    "persistent CD, convolutional net at 28 x 28 (5 updates, batch 64, chain 20)",
    "pcd",
    network="conv",
    updates=5,
    batch=64,
    steps=20,
    noise=5e-3,
    rate=1e-4,
)

WORKLOADS = {
    "pcd": Workload(
        "persistent CD, two moons (200 updates, batch 256, chain 60)", "pcd", updates=200, steps=60
    ),
    "langevin": Workload(
        "Langevin (1,000 chains, 500 steps)",
        "draw",
        updates=0,
        batch=1000,
        steps=500,
        repeats=7,
    ),
    "nce": Workload("noise contrastive (1,000 updates, batch 256, ratio 4)", "nce"),
    "dsm": Workload("denoising score matching (1,000 updates, batch 256)", "dsm", noise=0.1),
    "ssm": Workload("sliced score matching (1,000 updates, batch 256)", "ssm"),
    "conv": _CONV,
    "conv_last": dataclasses.replace(
        _CONV, title=f"{_CONV.title}, peers in channels-last layout", channels_last=True
    ),
}
