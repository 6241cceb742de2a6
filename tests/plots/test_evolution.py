"""Masks over training, phases of a control, traversals that move."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sparsevae import plots
from sparsevae.plots.phase_shading import spans

STEP = np.arange(1, 41) * 500


def course(n_layers=2, **columns):
    layers = {f"density/layer_{k}": np.linspace(1, 0.02 * k, 40) for k in range(n_layers)}
    known = {"elbo": -40.0, "learning": (STEP > 2000) & (STEP <= 17000)}
    target = np.clip(1 - (STEP - 2000) / 6000, 0.1, 1)
    return pd.DataFrame({"step": STEP, "target_density": target, **known, **layers, **columns})


def names(axes):
    phases = ("open", "ramp", "learning", "frozen")
    return [text.get_text() for text in axes.texts if text.get_text() in phases]


def test_phases_of_a_control_by_what_it_logs():
    found = spans(course())
    assert [name for name, *_ in found] == ["open", "ramp", "learning", "frozen"]
    assert found[0][1:] == (500, 2000) and found[-1][1:] == (17000, 20000)
    assert [name for name, *_ in spans(course(learning=0))] == ["ramp"]
    assert spans(course()[["step", "elbo"]]) == [] and spans(course()[:1]) == []


@pytest.mark.parametrize("n_layers", [1, 40])
def test_a_row_for_each_layer(n_layers):
    figure = plots.mask_evolution(course(n_layers))
    axes, bar = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == [f"layer_{k}" for k in range(n_layers)]
    assert axes.collections[0].get_array().shape == (n_layers, 40)
    assert axes.get_ylim() == (n_layers, 0) and axes.get_xlim() == (0, 20000)
    assert names(axes) == ["open", "ramp", "learning", "frozen"]
    assert axes.texts[0].get_text() == "0 %" and bar.get_ylabel()
    figure.draw_without_rendering()


def test_links_that_flipped_have_a_panel_of_their_own():
    figure = plots.mask_evolution(course(**{"flipped/layer_0": [np.nan] + [0.01] * 39}))
    assert [axes.get_ylabel() for axes in figure.axes[:2]] == [
        "open links", "links that opened or closed",
    ]  # fmt: skip
    assert figure.axes[1].texts[0].get_text() == "1 %"


def test_phases_may_be_given():
    given = {"frozen": (15000, 20000), "open": (0, 5000)}
    axes = plots.mask_evolution(course(), phases=given).axes[0]
    assert names(axes) == ["open", "frozen"]
    panels = plots.history(course(), phases=given).axes
    assert names(panels[0]) == ["open", "frozen"] and all(len(p.patches) == 2 for p in panels)
    with pytest.raises(ValueError, match=r"`phases` must hold.*open=\(5, 5\)"):
        plots.history(course(), phases={"open": (5, 5)})
    for wrong in ([1], {"open": ("a", "b")}, {"open": (0, np.inf)}, {"open": 3}):
        with pytest.raises(ValueError, match="`phases` must hold"):
            plots.history(course(), phases=wrong)
    outside = plots.history(course(), phases={"open": (0, 1e4), "late": (1e9, 2e9)}).axes
    assert names(outside[0]) == ["open"] and all(len(p.patches) == 1 for p in outside)


@pytest.mark.parametrize(
    ("history", "error", "match"),
    [
        ([1], TypeError, "`history` must be a DataFrame.*list"),
        (course()[:0], ValueError, "`history` must have rows"),
        (course()[["step", "elbo"]], ValueError, "density/LAYER.*'elbo'"),
        (course(step=np.nan), ValueError, "finite numbers in 'step'.*nan"),
        (course(step=1), ValueError, "each step once"),
        (course(**{"density/layer_0": "x"}), ValueError, "numbers in 'density/layer_0'"),
        (course(**{"density/layer_0": 2.0}), ValueError, r"\[0, 1\].*2.0.*density/layer_0"),
    ],
)
def test_histories_without_masks_are_refused(history, error, match):
    with pytest.raises(error, match=match):
        plots.mask_evolution(history)


TINY = np.linspace(0, 1, 2 * 3 * 4 * 8 * 8).reshape(2, 3, 4, 8, 8, 1)


def opened(content):
    image = Image.open(io.BytesIO(content))
    frames = []
    for k in range(image.n_frames):
        image.seek(k)
        frames.append(np.asarray(image.convert("L"), dtype=int))
    return image, frames


def test_traversals_go_up_and_down(tmp_path):
    content = plots.traversal_gif(TINY, tmp_path / "t.gif", seconds=1.2)
    assert (tmp_path / "t.gif").read_bytes() == content
    image, frames = opened(content)
    assert image.n_frames == 2 * 4 - 2 and image.info["loop"] == 0
    assert image.info["duration"] == 200
    np.testing.assert_allclose(frames[1], frames[5], atol=8)  # on the way up, and down
    assert np.abs(frames[0] - frames[3]).max() > 20


def test_full_size_traversals_in_color():
    pixels = np.zeros((4, 10, 3, 64, 64, 3), np.uint8)
    pixels[:, :, 1] = 255
    image, frames = opened(plots.traversal_gif(pixels, names=["size"] * 10))
    assert image.n_frames == 4 and image.width > 700
    middle = frames[0].shape[0] // 2 + 20
    assert frames[0][middle, 300] < 20 and frames[1][middle, 300] > 230


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"traversals": TINY[0]}, "`traversals`.*n_images, latent_dim, n_steps"),
        ({"traversals": TINY[:, :, :1]}, "`traversals` must have two steps.*1"),
        ({"traversals": TINY * 2}, r"`traversals` must lie in \[0, 1\]"),
        ({"seconds": 0}, "`seconds`.*seconds=0"),
        ({"seconds": np.inf}, "`seconds`.*seconds=inf"),
        ({"seconds": "x"}, "`seconds`.*seconds='x'"),
        ({"names": ["a"]}, "`names`"),
    ],
)
def test_bad_animations_are_refused(change, match):
    with pytest.raises(ValueError, match=match):
        plots.traversal_gif(**({"traversals": TINY} | change))
