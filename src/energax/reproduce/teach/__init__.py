"""Dual-MCMC teaching of images: the experiments of Cui and Han (2023) at a smaller scale."""

from energax.reproduce.teach.summary import EXPERIMENT as EXPERIMENT
