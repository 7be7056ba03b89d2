"""How do particles and neurons move together?"""

from .ball import AbstractBall as AbstractBall
from .ball import KernelBall as KernelBall
from .ball import VariationBall as VariationBall
from .dual import DualState as DualState
from .dual import DualTraining as DualTraining
from .kernel import KernelDual as KernelDual
from .kernel import KernelState as KernelState
from .kernel import Witness as Witness
from .neurons import Neurons as Neurons
from .primal import PrimalState as PrimalState
from .primal import PrimalTraining as PrimalTraining
