"""Measures and draws docs/images/pruning.png: `python docs/pruning_figure.py` (10 minutes)."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import sparsevae as sv

N_SEEDS, N_STEPS, BATCH_SIZE = 5, 600, 64
DENSITIES = (0.2, 0.1, 0.05, 0.02)
CONTROLS = {
    "MagnitudePruning": lambda density: sv.sparsity.MagnitudePruning.over(
        density, N_STEPS, scope="erk", granularity="weights"
    ),
    "TopK": lambda density: sv.sparsity.TopK.over(
        density, N_STEPS, scope="erk", granularity="weights"
    ),
    "RigL": lambda density: sv.sparsity.RigL.over(density, N_STEPS, granularity="weights"),
    "TargetDensity, hard concrete": lambda density: sv.sparsity.TargetDensity.over(
        density, N_STEPS, granularity="weights"
    ),
    "random mask": lambda density: sv.sparsity.SET(density, end=0, granularity="weights"),
}
STYLES = {  # colour-blind safe (Okabe and Ito), and told apart without colour
    "MagnitudePruning": ("#0072B2", "o", "-"),
    "TopK": ("#E69F00", "s", "-"),
    "RigL": ("#009E73", "^", "-"),
    "TargetDensity, hard concrete": ("#CC79A7", "D", "-"),
    "random mask": ("#555555", "x", "--"),
}


def classifier() -> keras.Model:
    """A small CNN for 8 x 8 digits, not trained."""
    images = x = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(images, keras.layers.Dense(10)(x))


def train(model: keras.Model, digits: list[np.ndarray], seed: int) -> float:
    """Trains for `N_STEPS` steps of Adam; accuracy on the test images."""
    x, x_test, y, y_test = digits
    order = np.random.default_rng(seed)
    rows = np.concatenate(
        [order.permutation(len(x)) for _ in range(1 + N_STEPS * BATCH_SIZE // len(x))]
    )
    rows = rows[: N_STEPS * BATCH_SIZE]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(x[rows], y[rows], BATCH_SIZE, shuffle=False, verbose=0)
    return float(np.mean(model.predict(x_test, verbose=0).argmax(axis=1) == y_test))


def measure() -> pd.DataFrame:
    """A row for each seed, method and density: accuracy and density of the trained model."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    rows = []
    for seed in range(N_SEEDS):
        digits = train_test_split(images, labels, random_state=seed, stratify=labels)
        keras.utils.set_random_seed(seed)
        dense = classifier()
        train(dense, digits, seed)
        longer = keras.models.clone_model(dense)
        longer.set_weights(dense.get_weights())
        rows.append((seed, "dense", 1.0, train(longer, digits, seed + 100), 1.0))
        for method, control in CONTROLS.items():
            for density in DENSITIES:
                sparse = sv.sparsify(dense, control=control(density))
                accuracy = train(sparse, digits, seed + 100)
                rows.append((seed, method, density, accuracy, sparse.gate_logs()["density"]))
                print(*rows[-1], flush=True)
            keras.backend.clear_session()
    return pd.DataFrame(rows, columns=["seed", "method", "target", "accuracy", "density"])


def draw(table: pd.DataFrame) -> Figure:
    """Mean accuracy over density by method, with 95 % t-intervals over seeds."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    half = stats.t.ppf(0.975, N_SEEDS - 1) / np.sqrt(N_SEEDS)
    for number, (method, (color, marker, line)) in enumerate(STYLES.items()):
        by_density = table[table.method == method].groupby("target").accuracy
        mean, error = by_density.mean(), half * by_density.std()
        x = mean.index * 1.04 ** (number - 2)  # so that intervals do not cover each other
        style = {"color": color, "marker": marker, "linestyle": line, "label": method}
        axes.errorbar(x, mean, error, capsize=3, markersize=5, **style)
    dense = table[table.method == "dense"].accuracy
    axes.axhline(dense.mean(), color="black", lw=1, ls=":", label="dense, trained as long")
    axes.set(
        xscale="log", xlabel="density: share of weights that are not 0", ylabel="test accuracy"
    )
    axes.set_xticks(DENSITIES, [f"{density:g}" for density in DENSITIES])
    ticks = (0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98)  # errors of a few percent are far apart
    axes.set_yscale("logit")
    axes.set_yticks(ticks, [f"{accuracy:g}" for accuracy in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    axes.set_title(
        f"a small CNN on scikit-learn's digits, {N_SEEDS} seeds, 95 % intervals", fontsize=11
    )
    return figure


def main() -> None:
    """Writes the table and the figure, prints means."""
    table = measure()
    images = Path(__file__).parent / "images"
    table.to_csv(images / "pruning.csv", index=False)
    draw(table).savefig(images / "pruning.png", dpi=110)
    print(table.pivot_table("accuracy", "method", "target", sort=False).round(4))


if __name__ == "__main__":
    main()
