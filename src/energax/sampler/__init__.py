"""How to draw from an energy?"""

from energax.sampler.base import AbstractSampler as AbstractSampler
from energax.sampler.base import Info as Info
from energax.sampler.base import State as State
from energax.sampler.base import chains as chains
from energax.sampler.base import nothing as nothing
from energax.sampler.base import path as path
from energax.sampler.base import run as run
from energax.sampler.base import trace as trace
from energax.sampler.blackjax import FromBlackjax as FromBlackjax
from energax.sampler.blackjax import hmc as hmc
from energax.sampler.blackjax import mala as mala
from energax.sampler.buffer import Buffer as Buffer
from energax.sampler.buffer import filled as filled
from energax.sampler.buffer import pick as pick
from energax.sampler.buffer import put_back as put_back
from energax.sampler.langevin import Langevin as Langevin
