"""What happens inside a model: how factors, latents, units and links depend on each other.

In: callables between arrays, `GroundTruthData`, Keras models, tables of studies. Out: frozen
results that hold NumPy arrays, pandas tables and networkx graphs. Nothing is drawn here.
May import: data, metrics, layers, sparsity; keras, scipy, pandas, scikit-learn; networkx, which
loads when used.
"""

from sparsevae.analysis.comparisons import corrected, paired, summary
from sparsevae.analysis.connections import Wiring, wiring
from sparsevae.analysis.decoder import DecoderView, decoder_view
from sparsevae.analysis.elbo_matching import matched_elbo
from sparsevae.analysis.factor_responses import FactorJacobian, factor_jacobian
from sparsevae.analysis.known_graphs import Recovery, recovery
from sparsevae.analysis.profile import LayerProfile, layer_profile

__all__ = [
    "DecoderView",
    "FactorJacobian",
    "LayerProfile",
    "Recovery",
    "Wiring",
    "corrected",
    "decoder_view",
    "factor_jacobian",
    "layer_profile",
    "matched_elbo",
    "paired",
    "recovery",
    "summary",
    "wiring",
]
