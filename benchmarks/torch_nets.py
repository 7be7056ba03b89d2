"""The same networks in PyTorch, in the order of parameters in which energax exports them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Mirror of `energax.network.conv.Block`, halving first where the image is large."""

    def __init__(self, channels: int, filters: int, halve: bool):
        super().__init__()
        self.first = nn.Conv2d(channels, filters, 3, padding=1)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)
        same = channels == filters
        self.skip = nn.Identity() if same else nn.Conv2d(channels, filters, 1)
        self.halve = halve

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 2) if self.halve else x
        return self.skip(x) + self.second(F.silu(self.first(F.silu(x))))


class ConvNet(nn.Module):
    """Mirror of `energax.network.ConvNet((28, 28))`: (batch, 1, 28, 28) to (batch,)."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.Sequential(
            Block(width, width, True),
            Block(width, 2 * width, True),
            Block(2 * width, 2 * width, False),
        )
        self.head = nn.Linear(2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.silu(self.blocks(self.stem(x))).sum((2, 3))).squeeze(-1)


class MLP(nn.Module):
    """Mirror of `energax.network.MLP((2,))`: (batch, 2) to (batch,)."""

    def __init__(self, width: int = 128):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)


@torch.no_grad()
def load(net: nn.Module, network: str, material: dict[str, np.ndarray]) -> None:
    """Copy energax's weights: kernels come as (row, column, in, out)."""
    for number, parameter in enumerate(net.parameters()):
        value = torch.from_numpy(material[f"weights_{network}_{number}"])
        value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value
        parameter.copy_(value.reshape(parameter.shape))
    if f"weights_{network}_{number + 1}" in material:
        raise ValueError(f"energax exports more weights for {network} than PyTorch holds.")


def rows(network: str, material: dict[str, np.ndarray], name: str = "rows") -> Tensor:
    """Data as PyTorch wants it: images with a channel in front."""
    x = torch.from_numpy(material[f"{name}_{network}"])
    return x if network == "mlp" else x[:, None]


def checked(energy: nn.Module, x: Tensor, chain: Tensor) -> dict[str, np.ndarray]:
    """What `serve.Side.check` returns; `chain` is where the still chain has ended."""
    shape = x.shape if x.ndim == 2 else x[:, 0].shape
    leaf = x.clone().requires_grad_(True)
    value = energy(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf, retain_graph=True)
    parts = torch.autograd.grad(value.mean(), list(energy.parameters()))
    return {
        "energy": value.detach().numpy(),
        "slope": slope.reshape(shape).numpy(),
        "weights": torch.sqrt(sum(part.square().sum() for part in parts)).numpy(),
        "chain": chain.reshape(shape).numpy(),
    }
