"""What each layer knows of the factors, and along which axes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy import stats
from tqdm import tqdm

from sparsevae.analysis.activations import Activations, activations, as_inputs, left_out
from sparsevae.analysis.interventions import kind_of_factors, periods
from sparsevae.analysis.probes import (
    Probes,
    linear_cka,
    matching,
    participation,
    standardized,
    targets,
)
from sparsevae.checks import check_integer
from sparsevae.data import ImageData, MissingFactorsError
from sparsevae.data.ground_truth import FactorData
from sparsevae.layers import GatedLayer

_FEWEST = 50  # samples


@dataclasses.dataclass(frozen=True)
class LayerProfile:
    """What the layers of a model know of the factors.

    Attributes:
        table: pandas table, a row for the input and for each layer of each network:
            `part`, `layer`; `units`, values a sample, and `alive`, those that vary;
            `probe`, `best`: R^2 of a linear probe of all units and of the best single unit, means
            over factors; `rotation`: `1 - best / probe` of the sums over those factors of which
            the probe explains 5 % or more; `dci_d`: DCI's disentanglement of the probe's weights;
            `cka`, `matching`: similarity to the layer that feeds it (the nearest one of the table),
            as no rotation changes it, and by the best pairing of single units (NaN for inputs);
            `participation`: share of output
            channels that an input channel of the kernel feeds (NaN without a kernel).
            `NAME_null` are means over random rotations of the layer's units.
        factors: pandas table, a row for each layer and factor: `part`, `layer`, `factor`, `probe`,
            `best`, `rotation` (NaN where the probe explains less than 5 %), `rotation_null`.
        left_out: Why a layer with weights has no row, by name.
    """

    table: pd.DataFrame
    factors: pd.DataFrame
    left_out: dict[str, str]

    def __str__(self) -> str:
        table = self.table.to_string(index=False, float_format="%.2f", na_rep="")
        others = (f"{name} ({why})" for name, why in self.left_out.items())
        return f"{table}\nNot probed: {', '.join(others)}" if self.left_out else table


def layer_profile(
    model: keras.Model,
    data: ImageData,
    n_samples: int = 5_000,
    seed: int = 0,
    layers: Sequence[str] | None = None,
    inputs_of: Callable[[np.ndarray], np.ndarray] = as_inputs,
    kinds: Mapping[str, str] | None = None,
    n_rotations: int = 3,
    max_units: int = 512,
    batch_size: int = 250,
) -> LayerProfile:
    """Looks for the factors in the units of each layer, in one pass over the images.

    A dense layer may rotate what it is given: all is still there for a linear probe, but no unit
    has it alone. `rotation` says so: 0 where one unit tells as much of a factor as all together,
    `rotation_null` for units that are mixed at random. Ordered factors are predicted as numbers,
    cyclic ones as cosine and sine, categorical ones as indicators, each of which has a best unit
    of its own. Three fifths of the images fit, one chooses the shrinkage, one tests.

    Units are the entries of a layer's output, activation included, gates by the test rule. Where
    a picture has more than `max_units` they are channels, averaged over windows of pixels.

    Args:
        model: `SparseVAE`, whose decoder is given posterior means, or any functional or Sequential
            Keras model of images.
        data: Data set with factors, on the grid or not.
        n_samples: Images that are drawn, at least 50; none counts twice, since probes would know
            it, so small sets have fewer.
        seed: Of images and rotations.
        layers: Names of layers; None for all with weights that are called once. Others with
            weights, and nested models, are named in `left_out`.
        inputs_of: What makes of uint8 images the model's inputs; float32 in [0, 1] by default.
        kinds: Of factors by name, where `data.factor_space.kinds` is not what you want.
        n_rotations: Random rotations of each layer, at least 1.
        max_units: At least 1.
        batch_size: Images a call of the model, at least 1.

    Raises:
        MissingFactorsError: if `data` has no factors.
        TypeError: if an argument has a wrong type, or the model is none of Keras.
        ValueError: if no factor takes two values, a number is too small, an activation is not
            finite, a name is unknown, the model hides its graph, or a layer cannot be probed.

    References:
        Probes: Alain & Bengio 2016, 1610.01644. CKA: Kornblith et al. 2019, 1905.00414. DCI:
        Eastwood & Williams 2018. The index and its null are ours.
    """
    for name, least in (("n_samples", _FEWEST), ("n_rotations", 1), ("max_units", 1)):
        check_integer(name, locals()[name], minimum=least)
    check_integer("batch_size", batch_size, minimum=1)
    if not isinstance(data, FactorData):
        raise MissingFactorsError(
            f"`data` must have factors, which probes predict. Received: {data!r}"
        )
    kinds = kind_of_factors(data, kinds)
    factors, images = _drawn(data, n_samples, check_integer("seed", seed, minimum=0))
    wanted = targets(factors, data.factor_names, kinds, periods(data, kinds))
    found = activations(model, _inputs(inputs_of, images), layers, max_units, batch_size)
    rows, by_factor = [], []
    bar = tqdm(found, desc="Probing", unit=" layers", delay=1, leave=False, disable=None)
    units: dict[tuple, Activations] = {}
    for here in bar:
        bar.set_postfix_str(here.name, refresh=False)
        _check_finite(here)
        rng = np.random.default_rng(seed)  # the same for every layer: like units, like nulls
        row, of_factors = _row(here, wanted, n_rotations, rng)
        before = units.get((here.part, here.feeder))
        rows.append({**row, **_beside(before, here, n_rotations, rng)})
        by_factor.append(of_factors)
        units[here.part, here.name] = here
    table = pd.DataFrame(rows)[_COLUMNS]
    others = {} if layers else left_out(model)
    return LayerProfile(table, pd.concat(by_factor, ignore_index=True), others)


_COLUMNS = ["part", "layer", "units", "alive", "probe", "best", "rotation", "rotation_null"]
_COLUMNS += ["dci_d", "dci_d_null", "cka", "matching", "matching_null"]
_COLUMNS += ["participation", "participation_null"]


def _drawn(data, n_samples, seed):
    """Factors and images of numbers drawn at random, each once."""
    drawn = data.sample_indices(n_samples, np.random.default_rng(seed))
    drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    factors = data.factors(drawn)
    if (factors == factors[0]).all():
        raise ValueError("`data` must have a factor that takes two values. Received: none does")
    if len(drawn) < _FEWEST:
        raise ValueError(
            f"`data` must have so many images that {_FEWEST} are drawn, for probes are tested on "
            f"some of their own. Received: {len(drawn)} different ones among {n_samples} draws"
        )
    return factors, data.images(drawn)


def _inputs(inputs_of, images):
    """What the model is given, a row an image."""
    inputs = inputs_of(images)
    if np.shape(inputs)[:1] != (len(images),):
        raise ValueError(
            "`inputs_of` must return an array with a row for each image. "
            f"Received: shape {np.shape(inputs)} for {len(images)} images"
        )
    return inputs


def _check_finite(here: Activations) -> None:
    if not np.isfinite(here.values).all():
        raise ValueError(
            "`model` must have finite activations. Received: NaN or infinite values of "
            f"{here.name!r} in {here.part!r}"
        )


def _row(here, wanted, n_rotations, rng):
    """Cells of the table for one layer, and its rows by factor."""
    probes = Probes(here.values, wanted)
    seen = probes.seen()
    turned = [probes.seen(_turn(probes.n_alive, rng)) for _ in range(n_rotations)]
    place = {"part": here.part, "layer": here.name}
    nulls = {
        "rotation_null": np.mean([_index(one) for one in turned]),
        "dci_d_null": np.mean([one.disentanglement for one in turned]),
    }
    row = {**place, "units": here.values.shape[1], "alive": probes.n_alive}
    row |= {"probe": seen.probe.mean(), "best": seen.best.mean(), "rotation": _index(seen)}
    row |= {"dci_d": seen.disentanglement, **nulls, **_kernel(here.layer, n_rotations, rng)}
    columns = {"factor": wanted.names, "probe": seen.probe, "best": seen.best}
    columns |= {"rotation": seen.rotation}
    columns |= {"rotation_null": np.mean([one.rotation for one in turned], axis=0)}
    return row, pd.DataFrame({**place, **columns})


def _index(seen):
    """`1 - best / probe` of all factors that are there; NaN where none is."""
    there = ~np.isnan(seen.rotation)
    if not there.any():
        return np.nan
    return float(np.clip(1 - seen.best[there].sum() / seen.probe[there].sum(), 0, 1))


def _turn(n, rng):
    """A random orthogonal matrix."""
    return stats.ortho_group.rvs(n, random_state=rng) if n > 1 else np.ones((n, n))


def _beside(before, here, n_rotations, rng):
    """Similarity to the layer that feeds this one."""
    if before is None:
        return dict.fromkeys(("cka", "matching", "matching_null"), np.nan)
    units = standardized(here.values)
    nulls = [
        matching(before.values, units @ _turn(units.shape[1], rng)) for _ in range(n_rotations)
    ]
    return {
        "cka": linear_cka(before.values, here.values),
        "matching": matching(before.values, here.values),
        "matching_null": np.mean(nulls),
    }


def _kernel(layer, n_rotations, rng):
    """Participation of a layer's kernel, by the test rule of its gate."""
    kernel = _kernel_of(layer)
    if kernel is None:
        return {"participation": np.nan, "participation_null": np.nan}
    turned = [kernel @ _turn(kernel.shape[-1], rng) for _ in range(n_rotations)]
    return {
        "participation": participation(kernel),
        "participation_null": np.mean([participation(one) for one in turned]),
    }


def _kernel_of(layer) -> np.ndarray | None:
    """`(..., in_channels, out_channels)`, or None."""
    if isinstance(layer, GatedLayer):
        kernel, swapped = layer.gated_kernel(training=False), layer._transposed
    else:
        kernel = getattr(layer, "kernel", None)
        swapped = "Transpose" in type(layer).__name__
    if kernel is None or len(kernel.shape) < 2:
        return None
    kernel = ops.convert_to_numpy(ops.cast(kernel, "float32"))
    return np.swapaxes(kernel, -1, -2) if swapped else kernel
