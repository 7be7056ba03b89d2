"""Which function?"""

from energax.network.conv import ConvNet as ConvNet
from energax.network.mlp import MLP as MLP
from energax.network.noisy import NoisyMLP as NoisyMLP
from energax.network.through import Through as Through
