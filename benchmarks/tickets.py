"""Do winning tickets win on digits? Iterative magnitude pruning and its controls.

A 64-100-100-10 network on scikit-learn's 1,797 digits, a third of them for tests, another split and
initialization for each seed. `python benchmarks/tickets.py` prints the test accuracy of tickets and
the paired differences to each control, 95 % t intervals over seeds, and writes all trainings to
benchmarks/results/tickets.json; killed and started again, it goes on where it stopped.
"""

import dataclasses
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import result
import tyro
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sparsevae.sparsity import tickets

CONTROLS = ("reinitialized", "shuffled", "random", "one_shot")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    n_seeds: int = 6
    n_rounds: int = 18
    control_rounds: tuple[int, ...] = (8, 12, 18)
    n_epochs: int = 30
    rewind_epochs: int = 0
    """0: back to the initialization; else to where the dense model was after so many epochs."""
    learning_rate: float = 1e-3
    folder: Path = Path("runs/tickets")
    """Of all trainings."""
    out: Path = Path("benchmarks/results/tickets.json")


def make(seed: int) -> keras.Model:
    """The stock network."""
    layers = [
        keras.layers.Dense(
            width, activation, kernel_initializer=keras.initializers.GlorotUniform(seed * 3 + k)
        )
        for k, (width, activation) in enumerate([(100, "relu"), (100, "relu"), (10, None)])
    ]
    return keras.Sequential([keras.Input((64,)), *layers])


def digits(seed: int) -> list[np.ndarray]:
    """Training and test images in [0, 1], training and test labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype("float32")
    return train_test_split(images, labels, test_size=600, stratify=labels, random_state=seed)


def fit(model, seed: int, n_epochs: int, learning_rate: float) -> dict[str, float]:
    """Trains on a seed's split in a seed's order; test accuracy and cross-entropy in nats."""
    train_images, test_images, train_labels, test_labels = digits(seed)
    rng = np.random.default_rng(seed)
    # All epochs as one: Keras takes longer between epochs than for one of 19 steps.
    order = np.concatenate([rng.permutation(len(train_labels)) for _ in range(n_epochs)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, steps_per_execution=95)
    model.fit(train_images[order], train_labels[order], batch_size=63, shuffle=False, verbose=0)
    logits = np.asarray(model(test_images, training=False))
    accuracy = (logits.argmax(axis=1) == test_labels).mean()
    return {"accuracy": float(accuracy), "cross_entropy": float(loss(test_labels, logits))}


def interval(values: pd.Series) -> dict[str, float]:
    """Mean and half the width of its 95 % t interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": float(values.mean()), "half_width": float(half)}


def summary(table: pd.DataFrame, score: str) -> list[dict]:
    """Of each round: density, the ticket's score, ticket minus each control and minus dense."""
    scores = table.pivot(index="seed", columns=["round", "kind"], values=score)
    rows = []
    for k in sorted(table["round"].unique()):
        row = {"round": int(k), "density": float(table[table["round"] == k].density.iloc[0])}
        row["ticket"] = interval(scores[k, "ticket"])
        row["minus_dense"] = interval(scores[k, "ticket"] - scores[0, "ticket"]) if k else None
        for kind in CONTROLS:
            known = (k, kind) in scores
            row[f"minus_{kind}"] = (
                interval(scores[k, "ticket"] - scores[k, kind]) if known else None
            )
        rows.append(row)
    return rows


def main() -> None:
    """Trains what is missing, compares, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    rate = arguments.learning_rate
    n_early = arguments.rewind_epochs
    table = tickets.find(
        make,
        lambda model, seed: fit(model, seed, arguments.n_epochs - n_early, rate),
        arguments.folder,
        arguments.n_rounds,
        range(arguments.n_seeds),
        early=(lambda model, seed: fit(model, seed, n_early, rate)) if n_early else None,
        control_rounds=arguments.control_rounds,
    )
    found = {score: summary(table, score) for score in ("accuracy", "cross_entropy")}
    for score, rows in found.items():
        print(score)
        for row in rows:
            parts = {key: row[key] for key in row if isinstance(row[key], dict)}
            shown = [f"{k} {v['mean']:+.4f} ± {v['half_width']:.4f}" for k, v in parts.items()]
            print(f"{row['density']:.3f}", *shown, sep="  ")
    overlaps = tickets.overlaps(arguments.folder)
    overlaps = overlaps[overlaps["round"] == overlaps.other_round]
    overlaps = overlaps.groupby(["round", "layer"])[["jaccard", "chance"]].mean().reset_index()
    plain = arguments.__class__(**{**vars(arguments), "folder": str(arguments.folder)})
    result.write(
        plain,
        ("keras", "tensorflow", "numpy", "scikit-learn"),
        summary=found,
        overlap_between_seeds=overlaps.to_dict("records"),
        trainings=table.to_dict("records"),
    )


if __name__ == "__main__":
    main()
