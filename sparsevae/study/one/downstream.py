"""Downstream tasks of an encoder, as the field measures them, in one table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from sparsevae import metrics, records
from sparsevae.checks import check_choice, check_integer
from sparsevae.metrics.scores.downstream import (
    PREDICTORS,
    predict,
    prediction_counts,
    sample_efficiency,
)
from sparsevae.metrics.scores.shifts import draw_shift
from sparsevae.study.one.samples import Samples, counts_that_fit
from sparsevae.study.one.scoring import encoder_and_data

TASKS = ("labels", "reduced", "strong", "fairness")
COLUMNS = (
    "task",
    "predictor",
    "n_labels",
    "n_test",
    "factor",
    "other",
    "train_accuracy",
    "test_accuracy",
    "chance",
    "unfairness",
)


def downstream_tasks(
    folder: str | Path,
    tasks: Sequence[str] | None = None,
    *,
    predictors: Sequence[str] = ("logistic", "gbt"),
    sizes: Sequence[int] | None = None,
    n_test: int | None = None,
    n_shifts: int = 5,
    n_per_value: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Runs downstream tasks on the codes of a run or an exported model; one row a classifier.

    "labels": every factor from few labels; the sets are nested. The other tasks use the largest
    size. "reduced": the same without the latent most important for the factor `other`. "strong":
    another factor, `other`, has one value in training and only other values in testing.
    "fairness": how much the predictions of a factor depend on `other`, by intervention.

    Images of a full grid are drawn with replacement, and intervened on. Where a set does not have
    exactly one image for each combination of its factors, training and test images are distinct,
    "strong" chooses among all images (as many as there are, up to the largest size and `n_test`;
    two to learn from at least), and there is no "fairness".

    Args:
        folder: `runs/NAME` or `saved_models/NAME`.
        tasks: Names in `TASKS`; None for all that can be done.
        predictors: Names in `metrics.downstream.PREDICTORS`.
        sizes: Numbers of labels; None for those of `samples.SIZES` that fit the set.
        n_test: Test images; None for `samples.N_TEST`, or what the set has left.
        n_shifts: Shifts a factor of "strong".
        n_per_value: Images a value of the sensitive factor of "fairness".
        seed: Of everything drawn.

    Returns:
        DataFrame with `COLUMNS`; what a task does not have is missing. `attrs["left_out"]` lists in
        words what was left out, and why.

    Raises:
        FileNotFoundError: if the folder is neither.
        ValueError: for an unknown name, a count that is too small or does not fit the set, a task
            that cannot be done, or a set without factors.

    References:
        disentanglement_lib (commit 86a644d): downstream_task, reduced_downstream_task,
        strong_downstream_task, fairness; Locatello et al. 2019, 1811.12359 and 1905.13662.
    """
    counts = {"n_test": n_test, "n_shifts": n_shifts, "n_per_value": n_per_value}
    _check(tasks, predictors, sizes, **counts)
    encode, data = encoder_and_data(folder)
    data.factor_names  # noqa: B018  refuses a set that has none
    sizes, n_test, left_out = counts_that_fit(data, sizes, n_test)
    samples = Samples(encode, data, max(sizes), n_test, seed)
    tasks, not_done = _possible(samples, tasks)
    rows = _classify(samples, tasks, predictors, sizes, n_shifts, n_per_value)
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"n_test": "Int64"})
    table.attrs["left_out"] = left_out + not_done
    return table


def _check(tasks, predictors, sizes, **counts):
    """What can be refused before anything is loaded."""
    for argument, names, choices in (
        ("tasks", () if tasks is None else tasks, TASKS),
        ("predictors", predictors, tuple(PREDICTORS)),
    ):
        for name in names:
            check_choice(argument, name, choices)
    if sizes is not None:
        if not len(sizes):
            raise ValueError("`sizes` must hold at least one number of labels. Received: none")
        for size in sizes:
            check_integer("sizes", size, minimum=2)
    for argument, count in counts.items():
        if count is not None:
            check_integer(argument, count, minimum=1)


def _possible(samples: Samples, asked: Sequence[str] | None) -> tuple[Sequence[str], list[str]]:
    """The tasks to do, and in words what cannot be done and was not asked for by name.

    Raises:
        ValueError: if a task that was asked for by name cannot be done.
    """
    reasons = _reasons(samples)
    for task in asked or ():
        if task in reasons:
            possible = ", ".join(repr(name) for name in TASKS if name not in reasons)
            raise ValueError(
                f"`tasks` must be among {possible} for {samples.data.name}: {task} needs "
                f"{reasons[task]}. Received: {task!r}"
            )
    left_out = [f"{task}: it needs {reason}" for task, reason in reasons.items() if asked is None]
    tasks = [task for task in (TASKS if asked is None else asked) if task not in reasons]
    if "strong" in tasks:
        names = enumerate(samples.data.factor_names)
        still = [name for k, name in names if not samples.shift_values(k)]
        left_out += [f"strong of {name}: no other factor can be shifted" for name in still]
    return tasks, left_out


def _reasons(samples: Samples) -> dict[str, str]:
    """What the tasks that cannot be done would need."""
    reasons, names = {}, samples.data.factor_names
    if samples.latent_dim == 1:
        reasons["reduced"] = "two latents, and the code has one"
    if not any(map(samples.shift_values, range(len(names)))):
        reasons["strong"] = (
            "another factor with a value that some images have, two at least, and others do not"
        )
    if not samples.is_grid:
        reasons["fairness"] = (
            "the same image under every value of a factor, and the set does not have exactly one "
            "image for each combination of its factors"
        )
    elif len(names) == 1:
        reasons["fairness"] = "two factors, and the set has one"
    return reasons


def _classify(samples, tasks, predictors, sizes, n_shifts, n_per_value) -> list[dict]:
    """The rows of the table."""
    n = len(samples.data.factor_names)
    rows_of = {
        "labels": (len(sizes) * n, lambda p: _labels(samples, p, sizes)),
        "reduced": (n * n, lambda p: _reduced(samples, p)),
        "strong": (n * n_shifts, lambda p: _strong(samples, p, n_shifts)),
        "fairness": (n * (n - 1), lambda p: _fairness(samples, p, n_per_value)),
    }
    rows = []
    n_rows = len(predictors) * sum(rows_of[task][0] for task in tasks)
    with tqdm(total=n_rows, desc="Classifying", delay=2, leave=False, disable=None) as bar:
        for task in tasks:
            for predictor in predictors:
                for row in rows_of[task][1](predictor):
                    rows.append({"task": task, "predictor": predictor} | row)
                    bar.update()
    return rows


def _accuracies(train, test, names, predictor, seed, other=None) -> Iterator[dict]:
    """One row a factor, from codes and factors."""
    found = metrics.downstream(*train, *test, predictor=predictor, seed=seed)
    for k, name in enumerate(names):
        yield {
            "n_labels": len(train[0]),
            "n_test": len(test[0]),
            "factor": name,
            "other": other,
            "train_accuracy": found.train[k],
            "test_accuracy": found.test[k],
            "chance": found.chance[k],
        }


def _labels(samples, predictor, sizes):
    train, test = samples.train, samples.test
    for n in sizes:
        few = train.codes[:n], train.factors[:n]
        names = samples.data.factor_names
        yield from _accuracies(few, (test.codes, test.factors), names, predictor, samples.seed)


def _reduced(samples, predictor):
    names, seed = samples.data.factor_names, samples.seed
    for k, other in enumerate(names):
        codes, factors = samples.train.codes, samples.train.factors
        left = metrics.without_best_latents(codes, factors[:, k], 1, seed=seed)
        train = codes[:, left], factors
        test = samples.test.codes[:, left], samples.test.factors
        yield from _accuracies(train, test, names, predictor, seed, other)


def _strong(samples, predictor, n_shifts):
    """Factors without another one that can be shifted have no rows."""
    names = samples.data.factor_names
    for k, name in enumerate(names):
        values = samples.shift_values(k)
        rng = np.random.default_rng([samples.seed, k])
        for _ in range(n_shifts if values else 0):
            other, value = draw_shift(values, rng)
            train, test = (
                (part.codes, part.factors[:, [k]]) for part in samples.shifted(other, value, rng)
            )
            yield from _accuracies(train, test, [name], predictor, samples.seed, names[other])


def _fairness(samples, predictor, n_per_value):
    """The same images under every value of the sensitive factor, for all predicted factors."""
    names, sizes = samples.data.factor_names, samples.data.factor_sizes
    intervened = [
        samples.intervened(k, n_per_value, np.random.default_rng([samples.seed, k]))
        for k in range(len(names))
    ]
    codes = np.concatenate(intervened)
    for k, name in enumerate(names):
        train, labels = samples.train.codes, samples.train.factors[:, k]
        _, predicted = predict(train, labels, codes, predictor=predictor, seed=samples.seed)
        parts = np.split(predicted, np.cumsum([len(part) for part in intervened])[:-1])
        for other, part in enumerate(parts):
            if other != k:
                counts = prediction_counts(part.reshape(sizes[other], n_per_value), sizes[k])
                yield {
                    "n_labels": len(labels),
                    "factor": name,
                    "other": names[other],
                    "unfairness": metrics.unfairness(counts),
                }


def downstream_summary(table: pd.DataFrame) -> str:
    """Means over factors, as lines of text: accuracies by number of labels, and the other tasks.

    Then what `downstream_tasks` left out.
    """
    lines = []
    labels = table[table["task"] == "labels"]
    if len(labels):
        chance = labels.groupby("n_labels")["chance"].mean()
        sizes = chance.index
        head = "".join(f"{n:>9,}" for n in sizes)
        lines.append(f"{'test accuracy, labels':24}{head}   on {labels['n_test'].min():,} images")
        for predictor, rows in labels.groupby("predictor", sort=False):
            accuracies = rows.groupby("n_labels")["test_accuracy"]
            text = "".join(f"{mean:9.3f}" for mean in accuracies.mean())
            if {100, 10_000} <= set(sizes):
                efficiency = sample_efficiency(*map(accuracies.get_group, (100, 10_000)))
                text += f"   efficiency 100 / 10,000: {efficiency:.3f}"
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
            least = f", on {part['n_test'].min():,} images or more" if task == "strong" else ""
            lines.append(f"{task:10} {predictor:10} {part[column].mean():8.3f}  {title}{least}")
    lines += [f"left out   {words}" for words in table.attrs.get("left_out", ())]
    return "\n".join(lines)


def write_downstream(table: pd.DataFrame, out: str | Path) -> None:
    """Writes the table as Parquet, and beside it as JSON (a list of rows)."""
    out = Path(out)
    check_choice("out", out.suffix, (".parquet",))
    with records.atomic_file(out) as temporary:
        table.to_parquet(temporary, index=False)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    records.write_json(out.with_suffix(".json"), rows)
