"""Images that share the value of one factor."""

import functools

import numpy as np
import pytest

from sparsevae.metrics import beta_vae_score, factor_vae_score
from sparsevae.metrics.encoding import SharedValue

SIZES = (1, 3, 4, 5)


class Grid:
    factor_names = ("constant", "a", "b", "c")

    def __len__(self):
        return int(np.prod(SIZES))

    def factors(self, indices):
        return np.stack(np.unravel_index(indices, SIZES), axis=1)

    def images(self, indices):
        return self.factors(indices).astype(np.uint8).reshape(len(indices), 2, 2, 1)


FACTORS = Grid().factors(np.arange(60))


def test_votes_are_64_images_that_share_the_value_of_their_factor_alone():
    votes = SharedValue(FACTORS).votes(200, np.random.default_rng(0))
    assert votes.images.shape == (200, 64) and set(votes.factor) == {1, 2, 3}
    n_values = [[len(set(column)) for column in FACTORS[vote].T] for vote in votes.images]
    shared = np.array(n_values) == 1
    np.testing.assert_array_equal(shared.sum(axis=1), 2)  # the constant factor too
    assert shared[np.arange(200), votes.factor].all()


def test_pairs_come_in_64_and_agree_in_their_factor():
    pairs = SharedValue(FACTORS).pairs(200, np.random.default_rng(0))
    assert pairs.first.shape == pairs.second.shape == (200, 64)
    agree = (FACTORS[pairs.first] == FACTORS[pairs.second]).mean(axis=1)
    assert (agree[np.arange(200), pairs.factor] == 1).all()
    others = [agree[pairs.factor != k, k].mean() for k in (1, 2, 3)]
    np.testing.assert_allclose(others, [1 / 3, 1 / 4, 1 / 5], atol=0.02)


@pytest.mark.parametrize(
    ("score", "draw"),
    [
        pytest.param(functools.partial(factor_vae_score, n_votes=60), "votes", id="factor_vae"),
        pytest.param(functools.partial(beta_vae_score, n_points=60), "pairs", id="beta_vae"),
    ],
)
def test_half_as_many_are_drawn_for_testing(score, draw, monkeypatch):
    drawn, method = [], getattr(SharedValue, draw)

    def counted(self, n, rng):
        drawn.append(n)
        return method(self, n, rng)

    monkeypatch.setattr(SharedValue, draw, counted)
    score(lambda images: images.reshape(len(images), 4).astype(float), Grid())
    assert drawn == [60, 30]
