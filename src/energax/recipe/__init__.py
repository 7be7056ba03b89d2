"""Which known combinations work?"""

from energax.recipe.compare import Compare as Compare
from energax.recipe.data import Data as Data
from energax.recipe.evaluate import Evaluate as Evaluate
from energax.recipe.fill import Filled as Filled
from energax.recipe.fill import filled as filled
from energax.recipe.folder import Model as Model
from energax.recipe.folder import load as load
from energax.recipe.generate import generated as generated
from energax.recipe.generate import revised as revised
from energax.recipe.inpaint import Inpaint as Inpaint
from energax.recipe.interpolate import Interpolate as Interpolate
from energax.recipe.interpolate import interpolated as interpolated
from energax.recipe.learn import Stopped as Stopped
from energax.recipe.players import load_players as load_players
from energax.recipe.players import load_trio as load_trio
from energax.recipe.reconstruct import Reconstruct as Reconstruct
from energax.recipe.reconstruct import Reconstruction as Reconstruction
from energax.recipe.reconstruct import reconstructed as reconstructed
from energax.recipe.report import Report as Report
from energax.recipe.reproduce import Reproduce as Reproduce
from energax.recipe.sample import Sample as Sample
from energax.recipe.score import Score as Score
from energax.recipe.study import Study as Study
from energax.recipe.train import Train as Train
