"""Analyses in words and bars, for a terminal."""

from collections.abc import Mapping

import pandas as pd

from sparsevae.study.one.analyses import Found

_BAR = 20  # characters of a whole bar


def analysis_text(found: Mapping[str, Found]) -> str:
    """What analyses found, as lines of text."""
    parts = [_TEXTS[name](one) for name, one in found.items()]
    return "\n\n".join("\n".join(lines) for lines in parts)


def _bar(value: float, width: int = _BAR) -> str:
    """A share in [0, 1] as a bar; a dot where there is none."""
    return "." if pd.isna(value) else "#" * round(width * min(max(value, 0.0), 1.0))


def _factor_jacobian(one):
    matrix = one.tables["matrix"]
    factors = [name for name in matrix if name not in ("latent", "active")]
    largest = matrix.loc[matrix.active, factors].to_numpy().max(initial=1e-9)
    lines = ["Factor Jacobian: change of each latent for a change of a factor, in deviations"]
    lines.append("  latent " + "".join(f"{name[:14]:>15}" for name in factors))
    for row in matrix.to_dict("records"):
        if row["active"]:
            cells = (f"{_bar(row[name] / largest, 8):>9}{row[name]:6.2f}" for name in factors)
            lines.append(f"  {row['latent']:6d} " + "".join(cells))
    dead = matrix.latent[~matrix.active].tolist()
    lines += [f"  dead: {', '.join(map(str, dead))}"] if dead else []
    scores = one.tables["scores"]
    lines += [f"  {line}" for line in scores.to_string(float_format="%.3f").splitlines()]
    if not matrix.active.any():
        return [*lines, "  No latent is active: there is no gain to speak of"]
    gain, low, high = scores.loc["active", ["gain", "null_low", "null_high"]]
    lines.append(
        f"  Axis-alignment gain of active latents {gain:.3f}; random rotations of them "
        f"{low:.3f} to {high:.3f}"
    )
    return lines


def _layer_profile(one):
    table = one.tables["layers"]
    width = max(map(len, table.layer))
    lines = [
        "Layers: what a linear probe of all units tells of the factors, and how much more than"
    ]
    lines += ["the best single unit (rotation; | is a random rotation of the layer's units)"]
    lines.append(f"  {'':{width}}  probe {'':{_BAR}}  rotation")
    for part, rows in table.groupby("part", sort=False):
        lines.append(f"  {part}")
        for row in rows.itertuples():
            bar = f"{_bar(row.rotation):{_BAR}}"
            if not pd.isna(row.rotation_null):
                place = min(round(_BAR * row.rotation_null), _BAR - 1)
                bar = bar[:place] + "|" + bar[place + 1 :]
            number = "     " if pd.isna(row.rotation) else f"{row.rotation:5.2f}"
            probe = f"{row.probe:5.2f} {_bar(row.probe):{_BAR}}"
            lines.append(f"  {row.layer:{width}}  {probe}  {number} {bar}".rstrip())
    return lines


def _wiring(one):
    numbers = one.numbers
    lines = [
        "Wiring: pixels that a latent can reach by open links, and those that answer to it",
        *(f"  {line}" for line in one.tables["latents"].to_string(index=False).splitlines()),
        f"  {_of_pixels(numbers['functional_one_parent'])}; "
        f"effective density {numbers['effective_density']:.4f}",
    ]
    if "recovered_f1" in numbers:
        lines.append(
            f"  known graph of the data: F1 {numbers['recovered_f1']:.3f} "
            f"(precision {numbers['recovered_precision']:.3f}, recall "
            f"{numbers['recovered_recall']:.3f}), {numbers['recovered_shd']:,} edges differ"
        )
    return lines


def _of_pixels(share):
    if share is None:
        return "no pixel answers to a latent"
    return f"{share:.1%} of the pixels that answer do so to one latent"


def _decoder_view(one):
    lines = ["Decoder: how latents interfere in images"]
    for name, value in one.numbers.items():
        shown = f"{value:.4g}" if value is not None else _missing(getattr(one.result, name))
        bar = _bar(value) if value is not None and name in _SHARES else ""
        lines.append(f"  {name:24} {shown:>10}  {bar}".rstrip())
    return lines


def _missing(value):
    return "none" if pd.isna(value) else "infinite"


_SHARES = ("sparsity", "column_cosine", "overlap", "hessian_ratio")
_TEXTS = {
    "factor_jacobian": _factor_jacobian,
    "layer_profile": _layer_profile,
    "wiring": _wiring,
    "decoder_view": _decoder_view,
}
