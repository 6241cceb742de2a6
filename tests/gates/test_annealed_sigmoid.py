"""The annealed sigmoid between its two limits."""

import itertools

import numpy as np
import pytest
from all_gates import array, set_parameter
from derivatives import gradients
from keras import ops
from scipy import special

from sparsevae.gates import AnnealedSigmoid

SCORES = np.linspace(-2, 2, 20).reshape(4, 5)  # none of them 0


def gate_at(progress, learning=1.0, **arguments):
    gate = AnnealedSigmoid(seed=0, **arguments)
    gate.build(SCORES.shape)
    set_parameter(gate, SCORES)
    gate.set_phase(learning, progress)
    return gate


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("final_hardness", [20.0, 200.0])
def test_mask_is_a_sigmoid_whose_hardness_grows_geometrically(progress, final_hardness):
    gate = gate_at(progress, final_hardness=final_hardness)
    expected = special.expit(final_hardness**progress * SCORES)
    np.testing.assert_allclose(array(gate.mask(training=True)), expected, atol=1e-5)
    np.testing.assert_allclose(array(gate.open_probability()), expected, atol=1e-5)


def test_start_is_the_plain_sigmoid_in_training_and_test():
    gate = gate_at(0.0)
    np.testing.assert_allclose(array(gate.mask()), special.expit(SCORES), atol=1e-6)
    np.testing.assert_array_equal(array(gate.mask()), array(gate.mask(training=True)))


@pytest.mark.parametrize("training", [False, True])
def test_end_is_hard(training):
    gate = gate_at(1.0, learning=0.0)
    np.testing.assert_array_equal(array(gate.mask(training=training)), SCORES > 0)


def test_support_is_the_sign_of_the_score_at_any_time():
    for progress in (0.0, 0.5, 1.0):
        np.testing.assert_array_equal(array(gate_at(progress).support()), SCORES > 0)


def test_masks_move_away_from_one_half_as_progress_grows():
    distances = [np.abs(array(gate_at(p).mask()) - 0.5) for p in (0.0, 0.3, 0.6, 1.0)]
    for sooner, later in itertools.pairwise(distances):
        assert (later >= sooner - 1e-6).all()


def test_gradient_of_the_soft_mask():
    gate = gate_at(0.5, learning_rate_multiplier=3.0)
    (found,) = gradients(lambda: ops.sum(gate.mask(training=True)), gate.trainable_variables)
    m = special.expit(np.sqrt(200) * SCORES)
    np.testing.assert_allclose(found, 3 * np.sqrt(200) * m * (1 - m), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("progress", [0.0, 0.5, 0.9, 1.0])
def test_a_price_is_felt_by_links_that_have_hardened(progress):
    """The cost is the soft mask; its slope has a part that hardness does not take away."""
    gate = gate_at(progress, learning_rate_multiplier=3.0)
    hardness = 200.0**progress
    np.testing.assert_allclose(array(gate.cost(None)), array(gate.open_probability()), atol=1e-6)
    (found,) = gradients(lambda: ops.sum(gate.cost(None)), gate.trainable_variables)
    soft, plain = special.expit(hardness * SCORES), special.expit(SCORES)
    expected = hardness * soft * (1 - soft) + (1 - 1 / hardness) * plain * (1 - plain)
    np.testing.assert_allclose(found, 3.0 * expected, rtol=1e-4)
    assert progress == 0 or found.min() > 0.1
