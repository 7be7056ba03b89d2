"""How good is it, with error bars?"""

from energax.evaluate.annealed import annealed_log_z as annealed_log_z
from energax.evaluate.base import Estimate as Estimate
from energax.evaluate.baseline import Baseline as Baseline
from energax.evaluate.baseline import baselines as baselines
from energax.evaluate.chain import Health as Health
from energax.evaluate.chain import health as health
from energax.evaluate.coverage import coverage as coverage
from energax.evaluate.coverage import expected_coverage as expected_coverage
from energax.evaluate.coverage import mode_shares as mode_shares
from energax.evaluate.divergence import kernel_stein as kernel_stein
from energax.evaluate.divergence import mmd as mmd
from energax.evaluate.flow_ode import flow_log_density as flow_log_density
from energax.evaluate.flow_ode import flow_log_density_by_probes as flow_log_density_by_probes
from energax.evaluate.grid import kl_by_quadrature as kl_by_quadrature
from energax.evaluate.grid import quadrature as quadrature
from energax.evaluate.likelihood import Likelihood as Likelihood
from energax.evaluate.likelihood import bits_per_dim as bits_per_dim
from energax.evaluate.likelihood import log_likelihood as log_likelihood
from energax.evaluate.log_z import LogZ as LogZ
from energax.evaluate.log_z import bounded as bounded
from energax.evaluate.log_z import importance_log_z as importance_log_z
