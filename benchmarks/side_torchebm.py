"""TorchEBM as its README recommends: its losses and its sampler in a plain training loop."""

import importlib.metadata
import logging
from collections.abc import Callable

import numpy as np
import torch
from serve import serve
from torch import Tensor, nn
from torch_nets import MLP, ConvNet, checked, load, rows
from torchebm.core import BaseModel
from torchebm.losses import ContrastiveDivergence, DenoisingScoreMatching, SlicedScoreMatching
from torchebm.samplers import LangevinDynamics
from workloads import BUFFER, FRESH, Workload

logging.getLogger("torchebm").setLevel(logging.WARNING)


class NetEnergy(BaseModel):
    """A network as TorchEBM's energy."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def _energy(network: str, material: dict[str, np.ndarray]) -> NetEnergy:
    net = MLP() if network == "mlp" else ConvNet()
    load(net, network, material)
    return NetEnergy(net)


def _sampler(energy: NetEnergy, step_size: float, noise: float) -> LangevinDynamics:
    """Its noise is in units of sqrt(2 step_size)."""
    return LangevinDynamics(energy, step_size, noise / (2 * step_size) ** 0.5)


class Torchebm:
    """PyTorch peer."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        """Versions of what runs here."""
        return {name: importlib.metadata.version(name) for name in ("torchebm", "torch")}

    def offers(self, workload: Workload) -> bool:
        """It has no noise-contrastive estimation."""
        return workload.method != "nce"

    def build(self, workload: Workload, material: dict[str, np.ndarray]) -> Callable[[], None]:
        """See `serve.Side`."""
        torch.manual_seed(0)
        energy = _energy(workload.network, material)
        if workload.channels_last:
            energy = energy.to(memory_format=torch.channels_last)
        sampler = _sampler(energy, workload.step_size, workload.noise)
        if workload.method == "draw":
            starts = torch.from_numpy(material["starts"])
            return lambda: sampler.sample(x=starts, n_steps=workload.steps)
        loss = {
            "pcd": lambda: ContrastiveDivergence(
                energy,
                sampler,
                k_steps=workload.steps,
                persistent=True,
                buffer_size=BUFFER,
                init_steps=0,
                new_sample_ratio=FRESH,
                energy_reg_weight=0.0,
            ),
            "dsm": lambda: DenoisingScoreMatching(energy, noise_scale=workload.noise),
            "ssm": lambda: SlicedScoreMatching(energy, n_projections=1),
        }[workload.method]()
        optimiser = torch.optim.Adam(energy.parameters(), lr=workload.rate)
        data = rows(workload.network, material)

        def work() -> None:
            for _ in range(workload.updates):
                found = loss(data[torch.randint(len(data), (workload.batch,))])
                value = found[0] if workload.method == "pcd" else found
                optimiser.zero_grad()
                value.backward()
                optimiser.step()

        return work

    def check(self, network: str, material: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `serve.Side`."""
        energy, x = _energy(network, material), rows(network, material, "check")
        # It refuses a noise of 0; this one is below the rounding of the states.
        chain = _sampler(energy, 1e-2, 1e-12).sample(x=x, n_steps=20)
        return checked(energy, x, chain)


if __name__ == "__main__":
    serve(Torchebm)
