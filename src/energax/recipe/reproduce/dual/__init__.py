"""Dual training of shallow energies on spheres: the experiments of Domingo-Enrich et al. (2021)."""

from energax.recipe.reproduce.dual.told import CHAPTER as CHAPTER
