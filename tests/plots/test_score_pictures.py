"""Latents against factors, layers, scores over density."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from sparsevae.plots import factor_latent_heatmap, layer_profile_curves, score_against_density
from sparsevae.plots.style import FAINT

RNG = np.random.default_rng(0)
FACTORS = ["shape", "scale", "posX"]


def test_a_number_in_each_cell_and_dead_latents_grey():
    matrix = np.array([[0.1, 0.2, 2.0], [0.7, 0.7, 0.7], [0.3, 0.9, 0.0]])
    active = np.array([True, False, True])
    figure = factor_latent_heatmap(matrix, FACTORS, active=active, label="nats")
    axes, bar = figure.axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["z2", "z0", "z1 (dead)"]  # by the factor that is theirs, dead ones last
    assert [t.get_text() for t in axes.texts[:3]] == ["0.30", "0.90", "0.00"]
    assert {to_hex(t.get_color()) for t in axes.texts[6:]} == {FAINT}
    shown = axes.images[0].get_array()
    assert shown.mask[2].all() and not shown.mask[:2].any()
    assert bar.get_ylabel() == "nats" and axes.images[0].get_clim() == (0, 2)
    figure.draw_without_rendering()


def test_many_latents_have_no_numbers_and_no_dead_ones():
    active = np.arange(64) < 45
    axes = factor_latent_heatmap(RNG.random((64, 10)), list("abcdefghij"), active=active).axes[0]
    assert not axes.texts and axes.images[0].get_array().shape == (45, 10)
    assert "45 latents; 19 dead ones" in axes.get_ylabel()
    few = factor_latent_heatmap(RNG.random((64, 10)), list("abcdefghij"), active=~active).axes[0]
    assert len(few.texts) == 190
    none = factor_latent_heatmap(np.zeros((2, 1)), ["a"], active=np.zeros(2, bool)).axes[0]
    assert none.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"matrix": np.ones((2, 2))}, r"`matrix` must be an array.*\(2, 2\)"),
        ({"matrix": -np.ones((2, 3))}, "`matrix` must be finite and at least 0.*-1"),
        ({"matrix": np.full((2, 3), np.nan)}, "`matrix` must be finite.*nan"),
        ({"active": np.ones(3, bool)}, r"`active` must have one entry.*\(3,\)"),
        ({"active": [0, 1]}, "`active` must be booleans.*int64"),
        ({"latents": ["a"]}, r"`latents` must have one entry.*\(1,\)"),
    ],
)
def test_bad_matrices_are_refused(change, match):
    arguments = {"matrix": np.ones((2, 3)), "factor_names": FACTORS} | change
    with pytest.raises(ValueError, match=match):
        factor_latent_heatmap(**arguments)


def profile(n_layers=2, shift=0.0):
    encoder = ["input", *(f"encoder_conv_{k}" for k in range(n_layers)), "encoder_z_mean"]
    encoder += ["encoder_z_log_var"]
    decoder = ["input", *(f"decoder_deconv_{k}" for k in range(n_layers))]
    rows = [("encoder", layer) for layer in encoder] + [("decoder", layer) for layer in decoder]
    table = pd.DataFrame(rows, columns=["part", "layer"])
    return table.assign(probe=0.6, best=0.3 + shift, rotation=0.5 - shift, rotation_null=0.4)


def test_layers_from_pixels_to_pixels():
    figure = layer_profile_curves(profile())
    above, below = figure.axes
    ticks = [label.get_text() for label in below.get_xticklabels()]
    assert ticks == ["pixels", "conv_0", "conv_1", "z_mean", "z", "deconv_0", "deconv_1"]
    assert [text.get_text() for text in above.texts] == ["encoder", "decoder"]
    curves = [line for line in above.lines if len(line.get_xdata()) > 2]
    assert len(curves) == 4  # the index and its null, for each part
    assert not above.collections
    figure.draw_without_rendering()


def test_models_beside_each_other_with_bands_over_seeds():
    seeds = [profile(10, shift) for shift in (0, 0.1, 0.2)]
    figure = layer_profile_curves({"dense": seeds, "2 % of the links": seeds[:1]})
    above, below = figure.axes
    band = above.collections[2].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((0.3, 0.5))
    legend = [text.get_text() for text in above.get_legend().get_texts()]
    assert legend == ["dense, 3 seeds", "2 % of the links", "mixed at random"]
    markers = {line.get_marker() for line in below.lines} - {"None", ""}
    assert markers == {"o", "s"}
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("profiles", "error", "match"),
    [
        ({}, ValueError, "`profiles` must hold one table"),
        ([1], TypeError, "`profiles` must be a DataFrame.*list"),
        ({"a": []}, ValueError, "`profiles` must hold one table"),
        ({"a": [1]}, TypeError, r"`profiles\['a'\]`.*int"),
        ({"a": profile().drop(columns="best")}, ValueError, r"`profiles\['a'\]`.*best"),
        ({"a": profile(1), "b": profile(2)}, ValueError, "all of the same layers"),
    ],
)
def test_bad_profiles_are_refused(profiles, error, match):
    with pytest.raises(error, match=match):
        layer_profile_curves(profiles)


def study(n_seeds=3, densities=(0.01, 0.1)):
    methods = [("target_density", "binary"), ("magnitude", "pruned")]
    cells = itertools.product(methods, densities, range(n_seeds))
    rows = [
        {"control": c, "gate": g, "target_density": d, "density": d, "score_mig": 0.1 + s / 10}
        for (c, g), d, s in cells
    ]
    dense = [
        {"control": "strength", "gate": "none", "target_density": 0.1, "score_mig": 0.2 + s / 10}
        for s in range(n_seeds)
    ]
    return pd.DataFrame(rows + dense)


def test_means_and_intervals_beside_the_dense_band():
    figure = score_against_density(study(), "score_mig")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and axes.get_ylabel() == "MIG"
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["dense (3 seeds)", "target density, binary", "magnitude"]
    binary, magnitude = axes.containers
    assert binary[0].get_ydata() == pytest.approx([0.2, 0.2])
    ends = binary[2][0].get_segments()[0][:, 1]
    assert ends == pytest.approx([0.1, 0.3])
    x = binary[0].get_xdata() / magnitude[0].get_xdata()
    assert x == pytest.approx(1 / 1.04)
    assert axes.lines[0].get_ydata() == pytest.approx([0.3, 0.3])
    (band,) = axes.patches
    assert (band.get_extents().transformed(axes.transData.inverted()).y0) == pytest.approx(0.2)
    assert [len(points.get_offsets()) for points in axes.collections[:1]] == [6]


def test_full_size_study_and_intervals_of_ones_own():
    table = study(20, np.geomspace(0.001, 0.5, 15))
    called = []
    figure = score_against_density(
        table, "score_mig", interval=lambda v: called.append(len(v)) or (v.min(), v.max())
    )
    assert called == [20] * 31
    axes = figure.axes[0]
    assert axes.get_xlim()[0] < 0.001 and axes.get_xlim()[1] > 0.5
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    labels = [t for t in axes.get_xticklabels() if t.get_text()]
    boxes = [label.get_window_extent(renderer) for label in labels]
    inside = [b for b in boxes if axes.bbox.x0 <= b.x0 and b.x1 <= axes.bbox.x1]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(inside))


def test_one_run_without_a_twin():
    axes = score_against_density(study(1, (0.05,)).iloc[:1], "score_mig").axes[0]
    assert not axes.patches and len(axes.containers) == 1


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ([1], TypeError, "`table` must be a DataFrame.*list"),
        (study().drop(columns="gate"), ValueError, "`table` must have columns.*gate"),
        (study().assign(score_mig=np.nan), ValueError, "`table` must have a sparse run.*15 rows"),
        (study().assign(score_mig="x"), ValueError, "numbers in 'score_mig'"),
        (study().assign(score_mig=np.inf), ValueError, "finite numbers in 'score_mig'.*inf"),
        (study().assign(density=0.0), ValueError, "densities above 0.*0.0"),
    ],
)
def test_bad_studies_are_refused(table, error, match):
    with pytest.raises(error, match=match):
        score_against_density(table, "score_mig")


def test_methods_that_nothing_tells_apart_are_refused():
    with pytest.raises(ValueError, match="`by` must name a column"):
        score_against_density(study(), "score_mig", by=())
