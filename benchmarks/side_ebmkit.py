"""ebmkit as its README recommends: its losses, its sampler, its buffer and its `Trainer`."""

import importlib.metadata
from collections.abc import Callable

import ebm
import numpy as np
import torch
from serve import serve
from torch import nn
from torch_nets import ConvNet, checked, load, rows
from workloads import BUFFER, FRESH, NOISE_RATIO, Workload


def _energy(network: str, material: dict[str, np.ndarray]) -> nn.Module:
    energy = ebm.nets.MLPEnergy(dim=2, hidden=(128, 128)) if network == "mlp" else ConvNet()
    load(energy, network, material)
    return energy


class Ebmkit:
    """PyTorch peer."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        """Versions of what runs here."""
        return {name: importlib.metadata.version(name) for name in ("ebmkit", "torch")}

    def offers(self, workload: Workload) -> bool:
        """Everything."""
        return True

    def build(self, workload: Workload, material: dict[str, np.ndarray]) -> Callable[[], None]:
        """See `serve.Side`."""
        torch.manual_seed(0)
        energy = _energy(workload.network, material)
        if workload.channels_last:
            energy = energy.to(memory_format=torch.channels_last)
        sampler = ebm.LangevinDynamics(workload.step_size, workload.steps, workload.noise)
        if workload.method == "draw":
            starts = torch.from_numpy(material["starts"])
            return lambda: sampler.sample(energy, starts)
        data = rows(workload.network, material)
        loss = {
            "pcd": lambda: ebm.ContrastiveDivergence(
                sampler, buffer=ebm.ReplayBuffer(BUFFER, tuple(data.shape[1:]), FRESH)
            ),
            "nce": lambda: ebm.NoiseContrastiveEstimation(noise_ratio=NOISE_RATIO),
            "dsm": lambda: ebm.DenoisingScoreMatching(workload.noise),
            "ssm": lambda: ebm.SlicedScoreMatching(n_projections=1),
        }[workload.method]()
        trainer = ebm.Trainer(energy, loss, lr=workload.rate, device="cpu")

        def work() -> None:
            trainer.fit(data, workload.updates, workload.batch, verbose=False)

        return work

    def check(self, network: str, material: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `serve.Side`."""
        energy, x = _energy(network, material), rows(network, material, "check")
        return checked(energy, x, ebm.LangevinDynamics(1e-2, 20, 0.0).sample(energy, x))


if __name__ == "__main__":
    serve(Ebmkit)
