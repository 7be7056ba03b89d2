"""How does it run?"""

from energax.train.interrupt import Interrupt as Interrupt
from energax.train.log import Bar as Bar
from energax.train.log import Log as Log
from energax.train.loop import Run as Run
from energax.train.loop import fit as fit
from energax.train.loop import start as start
from energax.train.save import Checkpoints as Checkpoints
from energax.train.save import parts_in as parts_in
from energax.train.save import read_weights as read_weights
from energax.train.save import write_weights as write_weights
