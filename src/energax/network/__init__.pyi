"""Which function?"""

from .conv import ConvNet as ConvNet
from .encoder import Encoder as Encoder
from .generator import ArrayMLP as ArrayMLP
from .generator import NoisyGenerator as NoisyGenerator
from .input_transform import InputTransform as InputTransform
from .interactions import Interactions as Interactions
from .interactions import SpreadNumbers as SpreadNumbers
from .latent import ConvEncoder as ConvEncoder
from .latent import ConvGenerator as ConvGenerator
from .mlp import MLP as MLP
from .neurons import AbstractFeature as AbstractFeature
from .neurons import Peak as Peak
from .neurons import Relu as Relu
from .neurons import Shallow as Shallow
from .neurons import Square as Square
from .neurons import add_bias as add_bias
from .neurons import flatten as flatten
from .neurons import make_shallow as make_shallow
from .neurons import map_to_circles as map_to_circles
from .noisy import NoisyArrayMLP as NoisyArrayMLP
from .noisy import NoisyMLP as NoisyMLP
from .reconstruction import ReconstructionError as ReconstructionError
from .unet import UNet as UNet
