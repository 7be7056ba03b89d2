"""Which function?"""

from energax.network.conv import ConvNet as ConvNet
from energax.network.encoder import Encoder as Encoder
from energax.network.generator import ArrayMLP as ArrayMLP
from energax.network.generator import NoisyGenerator as NoisyGenerator
from energax.network.input_transform import InputTransform as InputTransform
from energax.network.latent import ConvEncoder as ConvEncoder
from energax.network.latent import ConvGenerator as ConvGenerator
from energax.network.mlp import MLP as MLP
from energax.network.noisy import NoisyMLP as NoisyMLP
from energax.network.reconstruction import ReconstructionError as ReconstructionError
from energax.network.shallow import AbstractFeature as AbstractFeature
from energax.network.shallow import Peak as Peak
from energax.network.shallow import Relu as Relu
from energax.network.shallow import Shallow as Shallow
from energax.network.shallow import Square as Square
from energax.network.shallow import on_circles as on_circles
from energax.network.shallow import plain as plain
from energax.network.shallow import shallow as shallow
from energax.network.shallow import with_bias as with_bias
