"""Do the published experiments come out?"""

from energax.recipe.reproduce.reproduce import Reproduce as Reproduce
