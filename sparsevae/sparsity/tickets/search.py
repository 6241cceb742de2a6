"""Iterative magnitude pruning with rewinding, and what a claim about tickets needs beside it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from sparsevae import records
from sparsevae.checks import check_choice, check_integer, is_number
from sparsevae.layers.gated import GRANULARITIES
from sparsevae.sparsity.tickets.new_masks import kept_counts, pruned, random, shuffled
from sparsevae.sparsity.tickets.replicate import Replicate


def find(
    make: Callable[[int], keras.Model],
    train: Callable[[Any, int], Mapping[str, float]],
    folder: str | Path,
    n_rounds: int,
    seeds: Iterable[int] = (0,),
    rate: float = 0.2,
    early: Callable[[Any, int], Any] | None = None,
    granularity: str = "weights",
    control_rounds: Collection[int] | None = None,
) -> pd.DataFrame:
    """Looks for sparse networks that train as well as the dense one, and trains the controls.

    Round 0 trains the dense model. Each further round closes the share `rate` of the open gates of
    each layer, those of the smallest trained weights (half that share in the last layer), sets
    all weights back to where they began, and trains. Controls have the density of the round:
    `"reinitialized"`: the ticket's mask, weights of another seed; `"shuffled"`: as many gates in
    each layer at random; `"random"`: as many in all; `"one_shot"`: the dense model's largest, cut
    at once, as many in each layer. The last three begin with the ticket's own weights.

    Called again with the same folder it goes on: what is trained is read, also after a kill.

    Args:
        make: Seed -> built stock model, of which all randomness follows from the seed; or one that
            has `gates.Pruned` already.
        train: (sparse model, seed) -> dict of results. Compiles the model and trains it; the seed,
            which is to decide the order of the data, is the same for all trainings of a replicate.
        folder: For `seed_N/round_NN/KIND/`: `model.weights.h5` (of the sparse model), `masks.npz`
            (`layer_0`, `layer_1`, in the order of `model.gated_layers`), `result.json`.
        n_rounds: At least 1.
        seeds: Of the replicates.
        rate: Float in (0, 1).
        early: (sparse model, seed) -> anything. The first steps of `train`, after which the dense
            model's weights are what rounds go back to, rather than its initialization. The
            optimizer begins anew.
        granularity: See `layers.GatedLayer`.
        control_rounds: Rounds whose controls are trained; None for all but 0.

    Returns:
        A row for each training: `seed`, `round`, `kind` ("ticket" or a control), `density` (share
        of gates), and the results.

    Raises:
        TypeError: if `train` gives no dict of numbers, or `seeds` or `control_rounds` is a number.
        ValueError: if the folder holds a search with another rate, granularity or start.

    References:
        Frankle and Carbin 2019, The Lottery Ticket Hypothesis, section 2, 1803.03635; Frankle et
        al. 2020, Linear Mode Connectivity and the Lottery Ticket Hypothesis, section 4,
        1912.05671 (early rewinding). One-shot: section 7 of the former.
    """
    check_integer("n_rounds", n_rounds, minimum=1)
    check_choice("granularity", granularity, GRANULARITIES)
    if not (is_number(rate) and 0 < rate < 1):
        raise ValueError(f"`rate` must be a float above 0 and below 1. Received: rate={rate!r}")
    for name, given in (("seeds", seeds), ("control_rounds", control_rounds)):
        if not isinstance(given, (Iterable, type(None))) or isinstance(given, str):
            raise TypeError(f"`{name}` must be integers, as (0, 1, 2). Received: {name}={given!r}")
    folder = Path(folder)
    start = "initialization" if early is None else "early step"
    _check_same(folder, {"rate": rate, "granularity": granularity, "start": start})
    rounds = range(1, n_rounds + 1) if control_rounds is None else control_rounds
    rows = []
    for seed in seeds:
        path = folder / f"seed_{check_integer('seeds', seed, minimum=0)}"
        replicate = Replicate(make, train, early, granularity, path, seed)
        rows += _rounds(replicate, n_rounds, rate, rounds)
    return pd.DataFrame(rows)


def _check_same(folder, settings):
    path = folder / "settings.json"
    if not path.exists():
        records.write_json(path, settings)
    if (found := records.read_json(path)) != settings:
        raise ValueError(
            f"`folder` must be new, or hold a search with the same settings. Received: {folder} "
            f"with {found}, for {settings}"
        )


def _rounds(replicate, n_rounds, rate, control_rounds):
    """Results of one replicate."""
    whole = masks = replicate.open_masks()
    rows = [replicate.result(0, "ticket", masks)]
    dense = replicate.sizes(0)
    for k in range(1, n_rounds + 1):
        counts = kept_counts(whole, rate, k)
        masks = pruned(masks, replicate.sizes(k - 1), counts)
        rows.append(replicate.result(k, "ticket", masks))
        if k not in control_rounds:
            continue
        draws = np.random.default_rng([replicate.seed, k])
        rows += [
            replicate.result(k, "reinitialized", masks, "other_start"),
            replicate.result(k, "shuffled", shuffled(masks, draws)),
            replicate.result(k, "random", random(masks, draws)),
            replicate.result(k, "one_shot", pruned(whole, dense, counts)),
        ]
    return rows
