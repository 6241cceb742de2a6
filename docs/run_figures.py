"""Pictures of README from a dense run and a sparse one: `python docs/run_figures.py DENSE SPARSE`.

Both are folders of complete runs of one data set, such as two of studies/arena.toml. Writes
docs/images/wiring.png, layer_profile.png, mask_evolution.png and traversals.gif.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from sparsevae import analysis, plots, sparsity
from sparsevae.study import RunSettings
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.pictures import traversals_of
from sparsevae.study.one.scoring import load_run

IMAGES = Path(__file__).parent / "images"
VALUES = np.linspace(-2, 2, 9)


def write(figure: Figure, name: str) -> None:
    """A PNG of 128 colors, a third of the size of one of millions."""
    figure.set_dpi(110)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    picture.quantize(128, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def main(dense: str, sparse: str) -> None:
    """Writes the pictures."""
    vae, record = load_run(sparse)
    data = load_data(RunSettings(**record["settings"]), record["data_source"])
    images = data.images(data.draw(32, np.random.default_rng(0)))
    codes = vae.codes(images)
    wiring = analysis.wiring(vae, codes)
    write(plots.wiring_diagram(wiring.graph, maps=wiring.maps), "wiring")
    live = np.flatnonzero(wiring.table["pixels_read"])
    moving = traversals_of(vae, codes[:5], VALUES)[:, live]
    plots.traversal_gif(moving, IMAGES / "traversals.gif", names=[f"z{k}" for k in live])
    write(plots.mask_evolution(pd.read_csv(Path(sparse) / "history.csv")), "mask_evolution")
    models = {"dense": load_run(dense)[0], f"{100 * record['density']:.0f} % of the links": vae}
    profiles = {
        name: analysis.layer_profile(sparsity.harden(model, dtype="float32"), data).table
        for name, model in models.items()
    }
    write(plots.layer_profile_curves(profiles), "layer_profile")


if __name__ == "__main__":
    main(*sys.argv[1:])
