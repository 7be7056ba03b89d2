"""Dual training of shallow energies on spheres: the experiments of Domingo-Enrich et al. (2021)."""

from energax.reproduce.dual.summary import EXPERIMENT as EXPERIMENT
