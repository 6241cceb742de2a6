"""The model card as text: what `card.json` says, for people."""

TEMPLATE = """\
# {name}

Encoder and decoder of a sparse variational autoencoder, {n_parameters:,} parameters{open_links}.
Written by sparsevae {version}; `card.json` says all of this for programs.

## Use

Input `images`: float32 in [0, 1], shape `(n, {height}, {width}, {channels})`, any n. Output:
`codes`, the means of the posterior, and `log_variance`, both `(n, {latent_dim})`. With TensorFlow:

```python
import tensorflow as tf

encode = tf.saved_model.load("{name}").signatures["encode"]
codes = encode(images=images)["codes"]
```

With sparsevae, which takes uint8 images too and checks the folder first:
`sparsevae.export.load("{name}").transform(images)`. Over HTTP: `sparsevae serve {name}`,
or TensorFlow Serving with this folder as `/models/NAME/1`.

| signature | input | output |
|---|---|---|
| `encode` (also `serving_default`) | `images` | `codes`, `log_variance` |
{png}| `decode` | `codes` | `images` |
| `reconstruct` | `images` | `images` |

`sha256sum --check SHA256SUMS` checks every file.
"""


PNG = "| `encode_png` | `png`, strings: PNG files of this size | `codes`, `log_variance` |\n"


def readme(card: dict, name: str) -> str:
    """`README.md` of an export.

    Args:
        card: Content of `card.json`.
        name: Of the folder.
    """
    _, height, width, channels = card["input"]["shape"]
    text = TEMPLATE.format(
        name=name,
        n_parameters=card["n_parameters"],
        open_links=f", {card['density']:.1%} of its links open" if card["n_gates"] else "",
        version=card["versions"]["sparsevae"],
        height=height,
        width=width,
        channels=channels,
        latent_dim=card["output"]["codes"][1],
        png=PNG if channels in (1, 3) else "",
    )
    formats = {
        f"{key} (`{entry['file']}`)": f"within {entry['max_difference']:.1g} of the SavedModel"
        for key, entry in card["formats"].items()
    }
    facts = {"license": card["license"] or "not stated", "bytes": f"{card['n_bytes']:,}"}
    if "data_source" in card and "data" in card.get("settings", {}):
        facts["data"] = f"{card['settings']['data']} ({card['data_source']})"
    if (before := card.get("n_parameters_before_compaction", 0)) > card["n_parameters"]:
        facts["parameters before dead channels were taken out"] = f"{before:,}"
    if card.get("dropped_latents"):
        facts["latents of the trained model"] = ", ".join(map(str, card["latents"]))
    facts |= {k: card[k] for k in ("step", "elbo", "active_latents") if k in card}
    parts = [
        text,
        _table("Facts", facts),
        _table("Other formats", formats),
        _table("Scores", card.get("scores", {})),
        _table("Share of open links by layer", card["densities"]),
        _table("Settings", card.get("settings", {})),
        _table("Versions", card["versions"]),
    ]
    return "\n".join(part for part in parts if part)


def _table(title, rows):
    """A section with one row an entry, or nothing."""
    if not rows:
        return ""
    lines = [f"| {key} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join([f"## {title}\n", "| | |", "|---|---|", *lines, ""])


def _cell(value):
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
