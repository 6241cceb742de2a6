"""Controls that set masks: exact densities, NumPy's masks step by step, what grows and drops."""

import itertools

import keras
import numpy as np
import pytest
from small import X, Y, assert_equal, images, kernels, masks, regression, sparse, steps, top, train

from sparsevae.sparsity import SET, MagnitudePruning, RigL, TopK
from sparsevae.sparsity.selection import shares

KINDS = {"magnitude": MagnitudePruning, "top_k": TopK, "rigl": RigL, "set": SET}
GRANULARITIES = ["links", "weights", "channels"]
WAYS = [
    (name, granularity, kind.scopes[(k + j) % len(kind.scopes)])
    for k, (name, kind) in enumerate(KINDS.items())
    for j, granularity in enumerate(GRANULARITIES)
]
RATE = 0.5


@pytest.mark.parametrize(("name", "granularity", "scope"), WAYS)
def test_the_end_is_exact_and_closed_weights_are_zero(name, granularity, scope):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 4, 4, 2)), rng.normal(size=(4, 4))
    control = KINDS[name](0.3, 1, 4, 1, scope=scope, granularity=granularity)
    model = sparse(control, images)
    train(model, 4, x, y)
    for layer, mask in zip(model.gated_layers, masks(model), strict=True):
        assert not np.array(layer.energy())[~mask].any()
    train(model, 1, x, y)
    counts = [int(mask.sum()) for mask in masks(model)]
    sizes = [mask.size for mask in masks(model)]
    n_filters = {"links": (2 * 3, 27 * 4), "weights": (24, 27 * 4), "channels": (3, 4)}
    assert tuple(sizes) == n_filters[granularity]
    assert sum(counts) == int(np.floor(0.3 * sum(sizes) + 0.5))
    if scope != "global":
        assert counts == shares(sizes, 0.3, scope, [(2, 2, 2, 3), (27, 4)])
    for layer, mask in zip(model.gated_layers, masks(model), strict=True):
        assert not np.array(layer.energy(layer.gated_kernel()))[~mask].any()


def test_magnitude_pruning_follows_the_cubic_law_and_never_opens():
    model = sparse(MagnitudePruning(0.2, 2, 8, 2), regression)  # 24 links
    before, opened = masks(model)[0], []
    for _ in steps(model, 10):
        (now,) = masks(model)
        assert not (now & ~before).any()
        before = now
        opened.append(int(now.sum()))
    law = [5 + 19 * (1 - k / 3) ** 3 for k in range(4)]  # from 24 links to .2 of them
    assert opened[:1] == [24] and opened[7:] == [5, 5, 5]
    np.testing.assert_array_equal(opened[1:7], np.repeat(np.floor(np.add(law[:3], 0.5)), 2))


def test_a_link_that_was_pruned_does_not_come_back_by_momentum():
    model = sparse(MagnitudePruning(0.2, 0, 4, 1), regression, keras.optimizers.SGD(0.1, 0.9))
    before = masks(model)[0]
    for _ in steps(model, 8):
        (now,) = masks(model)
        assert not (now & ~before).any()
        before = now


def test_magnitude_pruning_closes_the_smallest():
    model = sparse(MagnitudePruning(0.5, 1, 1), regression, keras.optimizers.SGD(0.0))
    (kernel,) = kernels(model)
    train(model, 1)
    np.testing.assert_array_equal(masks(model)[0], top(np.abs(kernel), 12))


def gradient(kernel):
    """Of the mean squared error of the linear model."""
    return 2 / Y.size * X.T @ (X @ kernel - Y)


def test_top_k_is_numpys_after_every_step_and_links_come_back():
    control = TopK(0.25, 0, 20)
    model = sparse(control, regression, keras.optimizers.SGD(RATE))
    (kernel,) = kernels(model)
    came_back, before = 0, np.ones(kernel.shape, bool)
    for step in steps(model, 20):
        kernel = kernel - RATE * gradient(kernel)
        share = 0.25 + 0.75 * (1 - step / 20) ** 3
        mask = top(np.abs(kernel), int(np.floor(24 * share + 0.5)))
        kernel = kernel * mask
        np.testing.assert_array_equal(masks(model)[0], mask)
        np.testing.assert_allclose(kernels(model)[0], kernel, atol=1e-5)
        np.testing.assert_allclose(model.gated_layers[0]._kernel, kernel, atol=1e-5)
        came_back += int((mask & ~before).sum())
        before = mask
    assert came_back


def test_rigl_drops_the_smallest_and_grows_the_largest_gradients():
    n, every, end = 12, 3, 9
    control = RigL(0.5, 0, end, every, drop_fraction=0.5, seed=1)
    model = sparse(control, regression, keras.optimizers.SGD(RATE))
    (kernel,) = kernels(model)
    mask, n_moved = None, 0
    for step in steps(model, end + 2):
        if mask is None:  # drawn before the first step, from which nothing moved yet
            mask = masks(model)[0]
            kernel = kernel * mask
            assert mask.sum() == n
        slope = gradient(kernel)
        kernel = (kernel - RATE * slope) * mask
        if step % every == 0 and step <= end:
            n_dropped = int(0.5 / 2 * (1 + np.cos(np.pi * step / end)) * n)
            stay = top(np.where(mask, np.abs(kernel), -1), n - n_dropped)
            grown = top(np.where(mask, -1, np.abs(slope)), n_dropped)
            mask, kernel = stay | grown, kernel * stay
            n_moved += n_dropped
            assert not kernels(model)[0][grown].any()
        np.testing.assert_array_equal(masks(model)[0], mask)
        np.testing.assert_allclose(kernels(model)[0], kernel, atol=1e-5)
    assert n_moved == 4 + 1 + 0


@pytest.mark.parametrize("clip", [{}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}])
def test_closed_links_leave_nothing_in_the_optimizer(clip):
    """RigL looks at their gradient; momentum and clipping are those of the links that are open."""
    control = RigL(0.5, 0, 9, 3, drop_fraction=0.5, seed=1)
    model = sparse(control, regression, keras.optimizers.SGD(RATE, momentum=0.9, **clip))
    (kernel,) = kernels(model)
    mask, velocity = None, 0.0
    for _ in steps(model, 11):
        if mask is None:
            mask = masks(model)[0]
            kernel = kernel * mask
        before, slope = mask, gradient(kernel) * mask
        slope = slope * min(1, 0.1 / np.linalg.norm(slope)) if clip else slope
        velocity = 0.9 * velocity - RATE * slope
        mask = masks(model)[0]
        kernel = (kernel + velocity) * before * mask
        np.testing.assert_allclose(kernels(model)[0] * mask, kernel, atol=1e-5)


def test_drop_fraction_of_rigl_is_a_cosine_and_that_of_set_constant():
    for step, share in ((100, 1.0), (150, 0.5), (200, 0.0), (125, 0.5 + 0.5**1.5)):
        assert float(RigL(0.1, 100, 200).fraction_at(step)) == pytest.approx(0.3 * share, abs=1e-7)
    assert SET(0.1).fraction_at(3) == 0.3


def moved(seed):
    model = sparse(SET(0.5, 0, 6, 2, seed=seed), regression)
    found = []
    for _ in steps(model, 6):
        found.append(masks(model)[0])
        assert found[-1].sum() == 12
    return found, kernels(model)[0]


def test_set_moves_a_share_of_its_links_at_random_by_its_seed():
    (first, weights), (again, same), (other, _) = moved(1), moved(1), moved(2)
    assert_equal([*first, weights], [*again, same])
    assert not np.array_equal(first[0], other[0])
    for number, (before, now) in enumerate(itertools.pairwise(first), 2):
        n_new = int((now & ~before).sum())
        assert n_new == (int(0.3 * 12) if number % 2 == 0 else 0)
    assert not weights[first[5] & ~first[4]].any()  # grown in the last step: still 0


def test_the_target_of_a_control_may_be_changed_while_it_works():
    control = TopK(0.5, 0, 4)
    model = sparse(control, regression)
    train(model, 2)
    control.density = 0.25
    train(model, 3)
    assert masks(model)[0].sum() == 6


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", ["top_k", "rigl"])
@pytest.mark.parametrize("dtype_policy", ["bfloat16"], indirect=True)
def test_layers_of_half_precision_alone(name, granularity, dtype_policy):
    control = KINDS[name].over(0.5, 4, granularity=granularity)
    model = sparse(control, images, keras.optimizers.SGD(0.01))
    train(model, 4, np.ones((8, 4, 4, 2), "float32"), np.ones((8, 4), "float32"))
    assert {layer.kernel.dtype for layer in model.gated_layers} == {dtype_policy}
    n_gates = sum(mask.size for mask in masks(model))
    assert sum(mask.sum() for mask in masks(model)) == (n_gates + 1) // 2
    for layer in model.gated_layers:
        kernel = np.array(keras.ops.cast(layer.gated_kernel(), "float32"))
        assert not kernel[np.broadcast_to(layer.kernel_mask(), kernel.shape) == 0].any()
