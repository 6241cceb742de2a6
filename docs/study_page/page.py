"""The page from its template: counts, tables of differences, sentences on what holds, figures."""

from pathlib import Path

import jinja2
import pandas as pd

from docs.arena_table import markdown
from docs.study_page.differences import LARGEST_LOSS, at_equal_elbo, at_equal_steps, holding
from docs.study_page.figures import SHOWN_OVER_DENSITY, forest, over_density, over_depth, save
from docs.study_page.overlaps import overlaps
from docs.study_page.runs import PLAIN, SCORES, read
from sparsevae.analysis import corrected
from sparsevae.study.sweeps.study_file import read_study

_ROOT = Path(__file__).parents[2]
STUDY = _ROOT / "studies" / "density.toml"
PARTS = ("main", "small", "onset", "first", "tickets", "where", "beta", "prior")
SLICES = ("where", "beta", "prior")
DENSITY = 0.1  # where methods are looked at side by side


def write(table: Path, target: Path) -> None:
    """Writes the page, and its figures into `images` beside it."""
    target.write_text(text(table, target.parent / "images"), encoding="utf-8")


def text(table: Path, images: Path) -> str:
    """The page as Markdown; figures are written into a folder on the way."""
    runs = read(table)
    dense = runs[runs.part == "dense"]
    parts = {name: at_equal_steps(runs[runs.part == name], dense) for name in PARTS}
    matched = at_equal_elbo(runs[runs.part.isin(["main", "small"])], dense)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"markdown": markdown, "steps": steps_table, "elbo": elbo_table}
    environment.filters |= {"held": held}
    template = environment.from_string((Path(__file__).parent / "page.md").read_text("utf-8"))
    return template.render(
        counts=counts(runs),
        dense=dense_table(dense),
        parts=parts,
        matched=matched,
        overlap=overlap_table(overlaps(runs, DENSITY)),
        figures=figures(runs, matched, images),
        density=DENSITY,
        largest_loss=LARGEST_LOSS,
    )


def counts(runs: pd.DataFrame) -> dict[str, int]:
    """Complete runs beside those that the study asks for."""
    twins_of_slices = (runs.part == "dense") & (runs.twin != PLAIN)
    n_slices = int((runs.part.isin(SLICES) | twins_of_slices).sum())
    return {
        **{"n_runs": len(runs), "n_planned": len(read_study(STUDY).cells)},
        **{"n_main": len(runs) - n_slices, "n_slices": n_slices},
        "n_seeds": runs.seed.nunique(),
    }


def figures(runs: pd.DataFrame, matched: pd.DataFrame, images: Path) -> dict[str, str]:
    """Names of the figures that the runs suffice for."""
    main = runs[runs.part == "main"]
    made = {}
    if len(main):
        for column in SHOWN_OVER_DENSITY:
            name = SCORES[column].lower()
            made[name] = save(over_density(runs, column), images / f"study_{name}.png")
    if (main.level == DENSITY).any():
        made["depth"] = save(over_depth(runs, DENSITY), images / "study_depth.png")
    if (matched.n > 2).any():
        made["matched"] = save(forest(matched), images / "study_matched.png")
    return made


def dense_table(dense: pd.DataFrame) -> pd.DataFrame:
    """Dense runs: means and standard deviations over seeds."""
    rows = []
    for (name, beta), group in dense.groupby(["objective", "beta"], sort=False):
        row = {"objective": f"{name.replace('_', '-')}, β = {beta:g}", "runs": len(group)}
        row |= {"ELBO": _spread(group.elbo, 2), "active": f"{group.active_latents.mean():.1f}"}
        rows.append(row | {title: _spread(group[c], 2) for c, title in SCORES.items()})
    return pd.DataFrame(rows)


def steps_table(found: pd.DataFrame) -> str:
    """Differences at equal steps in Markdown."""
    rows = []
    for (name, level), group in found.groupby(["method", "level"], sort=False):
        by = group.set_index("value")
        row = {"method": name, "level": level if level != "" else "–", "pairs": by.n.iloc[0]}
        row |= {"ELBO": _difference(by.loc["elbo"], 2), "active": f"{by.active.iloc[0]:.1f}"}
        rows.append(row | {t: _cell(by, c) for c, t in SCORES.items()})
    return markdown(pd.DataFrame(rows)) if rows else "No pairs of seeds yet."


def elbo_table(found: pd.DataFrame) -> str:
    """Differences at equal ELBO in Markdown."""
    rows = [
        {"method": name, "pairs": group.n.max()}
        | {t: _cell(group.set_index("value"), c) for c, t in SCORES.items()}
        for name, group in found.groupby("method", sort=False)
    ]
    return markdown(pd.DataFrame(rows)) if rows else "No pairs of seeds yet."


def held(found: pd.DataFrame) -> str:
    """Sentence on what differs from 0 after correction, and out of how many comparisons."""
    compared = found[found.p_corrected.notna()]
    if compared.empty:
        return "Nothing could be compared yet."
    by_rate = compared[corrected(compared.p.astype(float), "fdr_bh") < 0.05]
    return (
        f"Of {len(compared)} comparisons {_named(holding(found))} after Holm's correction. By "
        "Benjamini and Hochberg's, which bears that one in twenty of those named is false, "
        f"{_named(by_rate)}."
    )


def _named(rows):
    """How many rows hold, and which."""
    if rows.empty:
        return "none holds"
    places = [
        f" at {row.level}" if getattr(row, "level", "") != "" else "" for row in rows.itertuples()
    ]
    named = [
        f"{SCORES[row.value]} of {row.method}{place} ({_signed(row.difference, 2)})"
        for row, place in zip(rows.itertuples(), places, strict=True)
    ]
    return f"{len(rows)} hold{'s' * (len(rows) == 1)} ({'; '.join(named)})"


def overlap_table(found: pd.DataFrame) -> str:
    """Overlap of masks, methods against methods, in Markdown."""
    names = list(dict.fromkeys([*found.method, *found.other]))
    if not names:
        return "No masks yet."
    cells = {
        pair: f"{row.jaccard:.3f} ({row.chance:.3f})"
        for row in found.itertuples()
        for pair in ((row.method, row.other), (row.other, row.method))
    }
    rows = [{"": one} | {two: cells.get((one, two), "–") for two in names} for one in names]
    return markdown(pd.DataFrame(rows))


def _cell(by, column):
    if column not in by.index or pd.isna(by.loc[column, "difference"]):
        return "–"
    return _difference(by.loc[column], 2)


def _difference(row, digits):
    ends = f"{_signed(row.low, digits)} to {_signed(row.high, digits)}"
    mark = "**" if row.p_corrected < 0.05 else ""
    return f"{mark}{_signed(row.difference, digits)}{mark} ({ends})"


def _signed(value, digits):
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _spread(values, digits):
    texts = f"{values.mean():.{digits}f}", f"{values.std():.{digits}f}"
    mean, deviation = (text.replace("-", "\N{MINUS SIGN}") for text in texts)
    return mean if len(values) == 1 else f"{mean} ± {deviation}"
