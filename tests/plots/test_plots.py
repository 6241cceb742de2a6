"""Structure of the pictures, and what they refuse."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from sparsevae import plots
from sparsevae.plots.gate_masks import block_average

RNG = np.random.default_rng(0)
GREY, COLOR = RNG.random((5, 8, 8, 1)), RNG.random((5, 8, 8, 3))
STEPS = RNG.random((3, 4, 8, 8, 1)).astype(np.float32)
VALUES = np.linspace(-2, 2, 4)


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def row_labels(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def course(**columns):
    n = 50
    table = {"step": np.arange(n) * 10, "elbo": -50 - 900.0 * np.exp(-np.arange(n) / 1.5)}
    return pd.DataFrame(table | columns)


GATED = course(
    **{
        "density": np.linspace(1, 0.02, 50),
        "density/a": np.linspace(1, 0, 50),
        "density/b": np.linspace(1, 0.5, 50),
        "active_latents": 10,
        "sparsity_strength": np.clip(np.arange(50) - 10, 0, 20),
        "learning": np.arange(50) < 40,
    }
)


@pytest.mark.parametrize("images", [GREY, COLOR, (COLOR * 255).astype(np.uint8)])
def test_reconstructions_stand_below_their_images(images):
    figure = plots.reconstructions(images, GREY if images is GREY else COLOR)
    (axes,) = figure.axes
    assert row_labels(figure) == ["image", "reconstruction"]
    canvas = axes.images[0].get_array()
    unit = images / 255 if images.dtype == np.uint8 else images
    np.testing.assert_allclose(canvas[:8, :8], np.broadcast_to(unit[0], (8, 8, 3)), atol=1e-6)
    assert png(figure)


def test_reconstructions_wrap():
    figure = plots.reconstructions(GREY, GREY, max_columns=2)
    assert row_labels(figure) == ["image", "reconstruction"] * 3


@pytest.mark.parametrize(
    ("images", "error", "match"),
    [
        (GREY[0], ValueError, "`images`.*shape"),
        (GREY[:0], ValueError, "`images`.*non-empty"),
        (np.concatenate([GREY] * 2, axis=-1), ValueError, "channels"),
        (GREY * 255, ValueError, r"`images`.*\[0, 1\]"),
        (GREY * np.nan, ValueError, r"`images`.*\[0, 1\]"),
        (GREY.astype(int), TypeError, "`images`.*int64"),
        (GREY[:4], ValueError, "`reconstructions`.*shape"),
    ],
)
def test_bad_images_are_refused(images, error, match):
    with pytest.raises(error, match=match):
        plots.reconstructions(images, GREY)


def test_traversals_are_sorted_by_kl_and_grey_when_inactive():
    figure = plots.traversals(STEPS, VALUES, kl_per_latent=np.array([0.5, 0.0, 4.2]))
    assert row_labels(figure) == ["z2  KL 4.2", "z0  KL 0.5", "z1  KL 0.00"]
    colors = [to_hex(label.get_color()) for label in figure.axes[0].get_yticklabels()]
    assert colors[0] == colors[1] != colors[2]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array()[:8, :8, :1], STEPS[2, 0])
    columns = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert columns == ["−2.0", "−0.7", "+0.7", "+2.0"]
    assert png(figure)


def test_traversals_keep_their_order_without_kl():
    assert row_labels(plots.traversals(STEPS, VALUES)) == ["z0", "z1", "z2"]
    assert row_labels(plots.traversals(STEPS, VALUES, names=["x", "y", "-"])) == ["x", "y", "-"]


def test_kl_below_zero_by_rounding_is_zero():
    figure = plots.traversals(STEPS, VALUES, kl_per_latent=np.array([1, -1e-7, 2], dtype="f4"))
    assert row_labels(figure)[-1] == "z1  KL 0.00"


def test_grid_rows_end_in_blank_places():
    figure = plots.grid([GREY[:2], (COLOR[:3] * 255).astype(np.uint8)], labels=["a", "b"])
    assert row_labels(figure) == ["a", "b"]
    canvas = figure.axes[0].images[0].get_array()
    assert canvas.shape == (17, 26, 3)
    np.testing.assert_allclose(canvas[:8, 9:17], np.broadcast_to(GREY[1], (8, 8, 3)))
    np.testing.assert_allclose(canvas[9:, 18:], np.floor(COLOR[2] * 255) / 255)
    assert (canvas[:8, 17:] == 1).all()
    assert row_labels(plots.grid([GREY])) == [""] and png(figure)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"rows": []}, "`rows`.*one size"),
        ({"rows": [GREY, GREY[:, :4]]}, r"`rows`.*\(4, 8, 3\), \(8, 8, 3\)"),
        ({"rows": [GREY, GREY[:0]]}, r"`rows\[1\]`"),
        ({"rows": [GREY], "labels": ["a", "b"]}, "`labels`"),
    ],
)
def test_bad_grids_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        plots.grid(**arguments)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"traversals": STEPS[0]}, "`traversals`"),
        ({"values": VALUES[:3]}, "`values`"),
        ({"names": ["a"]}, "`names`"),
        ({"kl_per_latent": np.ones(2)}, "`kl_per_latent`"),
        ({"kl_per_latent": np.array([1, np.nan, 1])}, "`kl_per_latent`"),
        ({"kl_per_latent": -np.ones(3)}, "`kl_per_latent`"),
    ],
)
def test_bad_traversals_are_refused(change, match):
    with pytest.raises(ValueError, match=match):
        plots.traversals(**({"traversals": STEPS, "values": VALUES} | change))


def test_masks_have_a_panel_each_and_one_color_bar():
    shapes = [(1, 32), (10, 256), (1024, 256), (256, 1024), (64, 64), (32, 1), (1, 1)]
    masks = {f"layer{i}": RNG.random(shape) < 0.1 for i, shape in enumerate(shapes)}
    masks["layer0"] = np.repeat([[1.0, 0.0]], 16, axis=0).reshape(1, 32) * 0.5
    figure = plots.masks(masks)
    assert len(figure.axes) == len(shapes) + 1
    titles = [axes.get_title() for axes in figure.axes[:-1]]
    assert titles[0] == "layer0\n1 × 32, 50 % open"
    assert [title.split("\n")[0] for title in titles] == list(masks)
    limits = {axes.images[0].get_clim() for axes in figure.axes[:-1]}
    assert limits == {(0, 1)}
    assert png(figure)


def test_single_open_link_of_a_large_mask_stays_visible():
    mask = np.zeros((1024, 256))
    mask[500, 100] = 1
    image = plots.masks({"dense": mask}).axes[0].images[0]
    shown = image.cmap(image.norm(image.get_array()))[..., :3]
    assert (
        shown.reshape(-1, 3).min() < 0.75
        and (shown == 1).all(axis=-1).sum() == shown[..., 0].size - 1
    )


def test_block_average_keeps_what_fits_and_the_mean_of_what_does_not():
    mask = RNG.random((12, 10))
    np.testing.assert_array_equal(block_average(mask, 12, 10), mask)
    blocks = block_average(mask, 4, 4)
    assert blocks.shape == (4, 4)
    assert blocks[0, 0] == pytest.approx(mask[:3, :3].mean())
    assert blocks[0, 3] == pytest.approx(mask[:3, 9:].mean())


@pytest.mark.parametrize(
    ("mask", "match"),
    [
        (np.ones(3), "shape"),
        (np.ones((0, 3)), "non-empty"),
        (np.full((2, 2), 2), "2"),
        (np.full((2, 2), np.nan), "nan"),
    ],
)
def test_bad_masks_are_refused_by_layer(mask, match):
    with pytest.raises(ValueError, match=rf"`masks\['dense'\]`.*{match}"):
        plots.masks({"dense": mask})


def test_no_masks_are_refused():
    with pytest.raises(ValueError, match="`masks`"):
        plots.masks({})


def test_history_draws_what_there_is():
    assert len(plots.history(course()).axes) == 1
    figure = plots.history(GATED)
    elbo, density, active = figure.axes
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes] == [
        "ELBO",
        "density",
        "active latents",
    ]
    assert [text.get_text() for text in density.get_legend().get_texts()] == [
        "a",
        "b",
        "all layers",
    ]
    named = [text.get_text() for text in elbo.texts if "starts" not in text.get_text()]
    assert named == ["learning", "ramp", "learning", "frozen"]
    assert len(active.patches) == 4
    assert any("starts below" in text.get_text() for text in elbo.texts)
    assert elbo.get_ylim()[0] > -700
    assert png(figure)


def test_history_overlays_runs():
    figure = plots.history({"dense": course(), "hard_concrete": GATED})
    assert len(figure.axes) == 3 and len(figure.axes[0].lines) == 2
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["dense", "hard_concrete"]
    assert len(figure.axes[0].patches) == 4
    other = GATED.assign(learning=1)
    assert not plots.history({"one": GATED, "two": other}).axes[0].patches
    assert png(figure)


def test_history_takes_gaps_single_rows_and_runs_that_diverged():
    gaps = GATED.assign(active_latents=[np.nan, 3] * 25, elbo=[np.nan, -np.inf] + [-5.0] * 48)
    assert png(plots.history(gaps))
    assert png(plots.history(GATED[:1]))
    assert png(plots.history(course(elbo=np.nan)))


@pytest.mark.parametrize(
    ("history", "error", "match"),
    [
        ([1], TypeError, "`history`"),
        ({"a": [1]}, TypeError, r"`history\['a'\]`"),
        ({}, ValueError, "at least one run"),
        (course()[:0], ValueError, "rows"),
        (course().drop(columns="elbo"), ValueError, "elbo"),
    ],
)
def test_bad_histories_are_refused(history, error, match):
    with pytest.raises(error, match=match):
        plots.history(history)


def test_pyplot_is_not_loaded():
    code = "import sys, sparsevae.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


TRIALS = pd.DataFrame(
    {
        "elbo": [-30.0, -40.0, -50.0, -60.0],
        "density": [1.0, 0.5, 0.6, 0.1],
        "mig": [0.1, 0.2, 0.3, 0.4],
        "gate": ["binary", "binary", "continuous", "continuous"],
        "strength_in_gaps": [0.1, 1.0, 2.0, 4.0],
    }
)
BEST = np.array([True, True, False, True])


def test_the_front_is_a_line_through_its_points():
    marks = {"dense": {"elbo": -25.0, "density": 1.0}}
    figure = plots.front(TRIALS, ["elbo", "density"], BEST, marks=marks)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "density" and axes.get_ylabel().startswith("ELBO")
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[0.1, -60], [0.5, -40], [1.0, -30]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "binary",
        "continuous",
        "dense",
    ]
    assert png(figure)


def test_a_third_objective_is_the_color():
    figure = plots.front(TRIALS, ["elbo", "density", "mig"], BEST)
    axes, bar = figure.axes
    assert bar.get_ylabel() == "mig" and not axes.lines
    assert axes.collections[0].get_array().tolist() == [0.1, 0.2]
    assert png(figure)


def test_one_objective_is_drawn_over_what_varies():
    best = np.array([True, False, False, False])
    trials = TRIALS.rename(columns={"strength_in_gaps": "target_density"})
    (axes,) = plots.front(trials, ["elbo"], best, over="target_density").axes
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "target density"


def test_one_objective_is_drawn_over_strength():
    best = np.array([True, False, False, False])
    figure = plots.front(TRIALS, ["elbo"], best, marks={"dense": {"elbo": -25.0}})
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and "Δ" in axes.get_xlabel()
    (level,) = axes.lines
    assert set(level.get_ydata()) == {-25.0}
    assert png(figure)


def test_a_front_of_wrong_things_is_refused():
    with pytest.raises(ValueError, match="`trials` must have rows"):
        plots.front(TRIALS[:0], ["elbo"], BEST[:0])
    with pytest.raises(ValueError, match=r"columns .*'sap'"):
        plots.front(TRIALS, ["sap", "elbo"], BEST)
    for wrong, match in (
        (TRIALS.assign(elbo="x"), "`trials` must have numbers in 'elbo'"),
        (TRIALS.assign(elbo=np.inf), "`trials` must have finite numbers in 'elbo'"),
        (TRIALS.assign(elbo=np.nan), "`trials` must have a row with"),
        (TRIALS.assign(strength_in_gaps=-1.0), "'strength_in_gaps' above 0, for a log.*-1.0"),
    ):
        with pytest.raises(ValueError, match=match):
            plots.front(wrong, ["elbo"], BEST)
    with pytest.raises(ValueError, match=r"`on_front` must be booleans.*float64"):
        plots.front(TRIALS, ["elbo"], BEST.astype(float))
    with pytest.raises(ValueError, match="`on_front` must have one boolean"):
        plots.front(TRIALS, ["elbo"], BEST[:2])
