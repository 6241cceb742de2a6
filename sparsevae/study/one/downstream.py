"""Downstream tasks of an encoder, as the field measures them, in one table."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from sparsevae import metrics, records
from sparsevae.checks import check_choice, check_integer
from sparsevae.data import GroundTruthData
from sparsevae.metrics.scores.downstream import PREDICTORS, predict
from sparsevae.study.one.scoring import encoder_and_data

TASKS = ("labels", "reduced", "strong", "fairness")
SIZES = (10, 100, 1_000, 10_000)
COLUMNS = (
    "task",
    "predictor",
    "n_labels",
    "factor",
    "other",
    "train_accuracy",
    "test_accuracy",
    "chance",
    "unfairness",
)

_BATCH = 1_000  # images drawn and encoded at a time


def downstream_tasks(
    folder: str | Path,
    tasks: Sequence[str] = TASKS,
    *,
    predictors: Sequence[str] = ("logistic", "gbt"),
    sizes: Sequence[int] = SIZES,
    n_test: int = 5_000,
    n_shifts: int = 5,
    n_per_value: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Runs downstream tasks on the codes of a run or an exported model; one row a classifier.

    "labels": every factor from few labels; the sets are nested. The other tasks use the largest
    size. "reduced": the same without the latent most important for the factor `other`. "strong":
    another factor, `other`, has one value in training and only other values in testing.
    "fairness": how much the predictions of a factor depend on `other`, by intervention.

    Args:
        folder: `runs/NAME` or `saved_models/NAME`.
        tasks: Names in `TASKS`.
        predictors: Names in `metrics.downstream.PREDICTORS`.
        sizes: Numbers of labels.
        n_test: Test images.
        n_shifts: Shifts a factor of "strong".
        n_per_value: Images a value of the sensitive factor of "fairness".
        seed: Of everything drawn.

    Returns:
        DataFrame with `COLUMNS`; what a task does not have is missing.

    Raises:
        FileNotFoundError: if the folder is neither.
        ValueError: for an unknown name, or a count that is too small.

    References:
        disentanglement_lib (commit 86a644d): downstream_task, reduced_downstream_task,
        strong_downstream_task, fairness; Locatello et al. 2019, 1811.12359 and 1905.13662.
    """
    for argument, names, choices in (
        ("tasks", tasks, TASKS),
        ("predictors", predictors, tuple(PREDICTORS)),
    ):
        for name in names:
            check_choice(argument, name, choices)
    check_integer("sizes", min(sizes), minimum=2)
    for argument, count in (
        ("n_test", n_test),
        ("n_shifts", n_shifts),
        ("n_per_value", n_per_value),
    ):
        check_integer(argument, count, minimum=1)
    encode, data = encoder_and_data(folder)
    draw = _Draw(encode, data, max(sizes), n_test, seed)
    n_factors = len(data.factor_sizes)
    rows_of = {
        "labels": (len(sizes) * n_factors, lambda p: _labels(draw, p, sizes)),
        "reduced": (n_factors * n_factors, lambda p: _reduced(draw, p)),
        "strong": (n_factors * n_shifts, lambda p: _strong(draw, p, n_shifts)),
        "fairness": (n_factors * (n_factors - 1), lambda p: _fairness(draw, p, n_per_value)),
    }
    rows = []
    n_rows = len(predictors) * sum(rows_of[task][0] for task in tasks)
    with tqdm(total=n_rows, desc="Classifying", delay=2, leave=False, disable=None) as bar:
        for task in tasks:
            for predictor in predictors:
                for row in rows_of[task][1](predictor):
                    rows.append({"task": task, "predictor": predictor} | row)
                    bar.update()
    return pd.DataFrame(rows, columns=COLUMNS)


class _Draw:
    """Training and test samples, and codes of any factors."""

    def __init__(self, encode: Callable, data: GroundTruthData, n_train: int, n_test: int, seed):
        self.encode, self.data, self.seed = encode, data, seed
        rng = np.random.default_rng(seed)
        self.factors = data.sample_factors(n_train, rng)
        self.test_factors = data.sample_factors(n_test, rng)
        self.codes, self.test_codes = map(self.codes_of, (self.factors, self.test_factors))

    def codes_of(self, factors: np.ndarray) -> np.ndarray:
        starts = range(0, len(factors), _BATCH)
        parts = [self.encode(self.data.observe(factors[k : k + _BATCH])) for k in starts]
        return np.concatenate(parts)


def _accuracies(names, found, n_labels, other=None) -> Iterator[dict]:
    """One row a factor."""
    for name, train, test, chance in zip(names, found.train, found.test, found.chance, strict=True):
        yield {
            "n_labels": n_labels,
            "factor": name,
            "other": other,
            "train_accuracy": train,
            "test_accuracy": test,
            "chance": chance,
        }


def _labels(draw, predictor, sizes):
    for n in sizes:
        found = metrics.downstream(
            draw.codes[:n],
            draw.factors[:n],
            draw.test_codes,
            draw.test_factors,
            predictor=predictor,
            seed=draw.seed,
        )
        yield from _accuracies(draw.data.factor_names, found, n)


def _reduced(draw, predictor):
    names = draw.data.factor_names
    for k, other in enumerate(names):
        left = metrics.without_best_latents(draw.codes, draw.factors[:, k], 1, seed=draw.seed)
        found = metrics.downstream(
            draw.codes[:, left],
            draw.factors,
            draw.test_codes[:, left],
            draw.test_factors,
            predictor=predictor,
            seed=draw.seed,
        )
        yield from _accuracies(names, found, len(draw.codes), other)


def _strong(draw, predictor, n_shifts):
    names, sizes = draw.data.factor_names, draw.data.factor_sizes
    for k, name in enumerate(names):
        rng = np.random.default_rng([draw.seed, k])
        others = [i for i in range(len(names)) if i != k and sizes[i] > 1]
        for _ in range(n_shifts):
            other = rng.choice(others)
            value = rng.integers(sizes[other])
            factors, test_factors = draw.factors.copy(), draw.test_factors.copy()
            factors[:, other] = value
            shift = rng.integers(1, sizes[other], size=len(test_factors))
            test_factors[:, other] = (value + shift) % sizes[other]
            found = metrics.downstream(
                draw.codes_of(factors),
                factors[:, [k]],
                draw.codes_of(test_factors),
                test_factors[:, [k]],
                predictor=predictor,
                seed=draw.seed,
            )
            yield from _accuracies([name], found, len(factors), names[other])


def _fairness(draw, predictor, n_per_value):
    """The same images under every value of the sensitive factor, for all predicted factors."""
    names, sizes = draw.data.factor_names, draw.data.factor_sizes
    intervened = []
    for k, size in enumerate(sizes):
        rng = np.random.default_rng([draw.seed, k])
        factors = np.tile(draw.data.sample_factors(n_per_value, rng), (size, 1))
        factors[:, k] = np.repeat(np.arange(size), n_per_value)
        intervened.append(draw.codes_of(factors))
    for k, name in enumerate(names):
        codes = np.concatenate(intervened)
        labels = draw.factors[:, k]
        _, predicted = predict(draw.codes, labels, codes, predictor=predictor, seed=draw.seed)
        parts = np.split(predicted, np.cumsum([len(part) for part in intervened])[:-1])
        for other, part in enumerate(parts):
            if other != k:
                table = part.reshape(sizes[other], n_per_value)
                counts = [np.bincount(row, minlength=sizes[k]) for row in table]
                yield {
                    "n_labels": len(labels),
                    "factor": name,
                    "other": names[other],
                    "unfairness": metrics.unfairness(np.transpose(counts)),
                }


def downstream_summary(table: pd.DataFrame) -> str:
    """Means over factors, as lines of text: accuracies by number of labels, and the other tasks."""
    lines = []
    labels = table[table["task"] == "labels"]
    if len(labels):
        chance = labels.groupby("n_labels")["chance"].mean()
        sizes = chance.index
        head = "".join(f"{n:>9,}" for n in sizes)
        lines.append(f"{'test accuracy, labels':24}{head}")
        for predictor, rows in labels.groupby("predictor", sort=False):
            mean = rows.groupby("n_labels")["test_accuracy"].mean()
            text = "".join(f"{mean[n]:9.3f}" for n in sizes)
            if {100, 10_000} <= set(sizes):
                text += f"   efficiency 100 / 10,000: {mean[100] / mean[10_000]:.3f}"
            lines.append(f"  {predictor:22}{text}")
        lines.append(f"  {'chance':22}" + "".join(f"{chance[n]:9.3f}" for n in sizes))
    for task, column, title in (
        ("reduced", "test_accuracy", "of that factor, without its best latent"),
        ("strong", "test_accuracy", "under a shift of another factor"),
        ("fairness", "unfairness", "unfairness, mean over pairs of factors"),
    ):
        rows = table[table["task"] == task]
        if task == "reduced":
            rows = rows[rows["factor"] == rows["other"]]
        for predictor, part in rows.groupby("predictor", sort=False):
            lines.append(f"{task:10} {predictor:10} {part[column].mean():8.3f}  {title}")
    return "\n".join(lines)


def write_downstream(table: pd.DataFrame, out: str | Path) -> None:
    """Writes the table as Parquet, and beside it as JSON (a list of rows)."""
    out = Path(out)
    check_choice("out", out.suffix, (".parquet",))
    with records.atomic_file(out) as temporary:
        table.to_parquet(temporary, index=False)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    records.write_json(out.with_suffix(".json"), rows)
