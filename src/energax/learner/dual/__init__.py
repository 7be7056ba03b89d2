"""How do particles and neurons move together?"""

from energax.learner.dual.ball import AbstractBall as AbstractBall
from energax.learner.dual.ball import KernelBall as KernelBall
from energax.learner.dual.ball import VariationBall as VariationBall
from energax.learner.dual.dual import DualState as DualState
from energax.learner.dual.dual import DualTraining as DualTraining
from energax.learner.dual.kernel import KernelDual as KernelDual
from energax.learner.dual.kernel import KernelState as KernelState
from energax.learner.dual.kernel import Witness as Witness
from energax.learner.dual.neurons import Neurons as Neurons
from energax.learner.dual.primal import PrimalState as PrimalState
from energax.learner.dual.primal import PrimalTraining as PrimalTraining
