"""Which function?"""

from energax.network.conv import ConvNet as ConvNet
from energax.network.encoder import Encoder as Encoder
from energax.network.generator import ArrayMLP as ArrayMLP
from energax.network.generator import NoisyGenerator as NoisyGenerator
from energax.network.latent import ConvEncoder as ConvEncoder
from energax.network.latent import ConvGenerator as ConvGenerator
from energax.network.mlp import MLP as MLP
from energax.network.noisy import NoisyMLP as NoisyMLP
from energax.network.through import Through as Through
