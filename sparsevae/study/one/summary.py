"""A record in words."""

from collections.abc import Mapping, Sequence


def summary(record: dict, folder: str) -> str:
    """What a run learned, as lines of text for a terminal."""
    lines = [
        f"{record['name']}: {record['step']:,} steps on {record['settings']['data']} "
        f"({record['data_source']})",
        f"  ELBO            {record['elbo']:9.2f} nats per image "
        f"(reconstruction {record['reconstruction']:.2f}, KL {record['kl']:.2f})",
        f"  active latents  {record['active_latents']:6.0f} of {record['settings']['latent_dim']}",
        *_source(record),
        *(f"  {line}" for line in score_table(record["scores"]).splitlines()),
    ]
    known = "factor_names" in record  # not in records of before
    if known and not any(name.endswith("_ceiling") for name in record["scores"]):
        lack = "factors of two values" if record["factor_names"] else "factors"
        lines.append(f"  the set has no {lack}: scores that need them are left out")
    if "density" in record:
        lines.append(f"  density         {record['density']:9.3f} of all links are open; by layer:")
        width = max(map(len, record["densities"]))
        for name, value in record["densities"].items():
            lines.append(f"    {name:{width}}  {value:6.3f}  {'#' * round(40 * value)}")
        if "effective_density" in record:  # not in records of before
            lines.append(f"  on live paths   {record['effective_density']:9.3f} of all links")
        if (planned := record.get("n_steps_planned", record["step"])) != record["step"]:
            lines.append(f"  phases          are those of a run of {planned:,} steps")
    if "share_cut" in record:
        lines.append(
            f"  weights cut     {record['share_cut']['all']:9.3f} of all; "
            f"ELBO after the cut {record['elbo_after_cut']:.2f}"
        )
    for found in record.get("findings", []):  # likewise
        place = f" in {found['layer']}" if found["layer"] else ""
        lines.append(f"  {found['name']}{place}: {found['remedy']}")
    lines.append(f"  pictures        {folder}/pictures, model {folder}/model.keras")
    return "\n".join(lines)


def _source(record):
    """What it was pruned from, and what that cost."""
    if "pruned_from" not in record:
        return []
    source = record["pruned_from"]
    return [
        f"  pruned from     {source['name']} of step {source['step']:,}, ELBO {source['elbo']:.2f}"
    ]


def score_table(scores: Mapping[str, float]) -> str:
    """Scores of `metrics.evaluate` as a table: all latents, active ones, ceiling, intervals."""
    width = max(map(len, scores))
    lines = [f"{'score':{width}}       all    active   ceiling"]
    for name in scores:
        if f"{name}_active" not in scores:
            continue
        values = [scores.get(name + view) for view in ("", "_active", "_ceiling")]
        shown = (f"{value:10.3f}" if value is not None else f"{'-':>10}" for value in values)
        lines.append(f"{name:{width}}" + "".join(shown))
        if f"{name}_low" in scores:
            low, high = scores[f"{name}_low"], scores[f"{name}_high"]
            lines[-1] += f"   95 %: {low:.3f} to {high:.3f}"
    lines.append(f"{'latents by spread of codes':{width}}{scores['spread_latents']:10.0f} active")
    return "\n".join(lines)


def side_by_side(runs: Sequence[Mapping]) -> str:
    """Records of complete runs as a table with a column for each; what a run lacks is a dash."""
    rows: dict[str, list[str]] = {"": [_shortened(record["name"]) for record in runs]}
    for title, key, form in _COMPARED:
        rows[title] = [_cell(record.get(key), form) for record in runs]
    every = [record["scores"] for record in runs]
    names = dict.fromkeys(name for scores in every for name in scores if f"{name}_active" in scores)
    for name in names:
        rows[name] = [_cell(scores.get(name), ".3f") for scores in every]
        ceiling = next((s[f"{name}_ceiling"] for s in every if f"{name}_ceiling" in s), None)
        rows[name].append("" if ceiling is None else f"   ceiling {ceiling:.3f}")
    rows = {title: cells for title, cells in rows.items() if set(cells) != {"-"}}
    first = max(map(len, rows))
    width = max(len(cell) for cells in rows.values() for cell in cells[: len(runs)])
    lines = []
    for title, cells in rows.items():
        columns = "".join(f"  {cell:>{width}}" for cell in cells[: len(runs)])
        lines.append(f"{title:{first}}{columns}{''.join(cells[len(runs) :])}")
    return "\n".join(lines)


_COMPARED = (
    ("ELBO, nats per image", "elbo", ".2f"),
    ("KL", "kl", ".2f"),
    ("active latents", "active_latents", ".0f"),
    ("share of links open", "density", ".4f"),
    ("on live paths", "effective_density", ".4f"),
)


def _shortened(name, longest=30):
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _cell(value, form):
    return "-" if value is None else format(value, form)


def search_summary(result, folder: str, objectives: list[str]) -> str:
    """What a search found, as lines of text; `result` is None for a worker of a chief."""
    if result is None:
        return "No more trials."
    trials, gap = result.trials, result.gap
    counts = trials["status"].value_counts()
    lines = [
        f"Δ = {gap.nats:.2f} nats: ELBO {gap.collapsed:.2f} without latents, {gap.dense:.2f} dense",
        f"{len(trials)} trials: " + ", ".join(f"{n} {status}" for status, n in counts.items()),
        "The front:" if len(objectives) > 1 else "The best:",
    ]
    known = ["trial", "strength_in_gaps", "strength", "target_density"]
    shown = [name for name in known if name in trials]
    shown += ["gate", "where", "beta", "learning_rate"]
    if trials.groupby("gate")["learning_rate_multiplier"].nunique().max() > 1:
        shown.append("learning_rate_multiplier")
    shown += list(dict.fromkeys([*objectives, "elbo", "density", "active_latents"]))
    front = result.front.sort_values(objectives[0])[shown]
    lines.append(front.to_string(index=False, float_format="{:.4g}".format))
    lines += [f"Picture: {folder}/front.png; all trials: {folder}/trials.parquet"]
    lines += [f"Exported: {place}" for place in result.exported]
    return "\n".join(lines)
