"""Fused functions give the values and gradients of the functions themselves."""

import keras
import numpy as np
import pytest
from keras import ops
from small_model import ON_JAX

from sparsevae.training import fused, read, when
from sparsevae.training.fusion import compiled

RNG = np.random.default_rng(0)
X, C = (RNG.normal(size=(3, 4)).astype("float32") for _ in range(2))
START = RNG.normal(size=(3, 4)).astype("float32")


def traced(function):
    """As a compiled step runs it; counts of traces are not of interest here."""
    if ON_JAX:
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, autograph=False)


def value_and_gradients(function, variable, in_graph):
    """Of `function(x, c)`, a scalar: arrays of it and of its gradients to x, c and the variable."""
    if ON_JAX:
        import jax

        def of_values(x, c, value):
            with keras.StatelessScope(state_mapping=[(variable, value)]):
                return function(x, c)

        both = jax.value_and_grad(of_values, (0, 1, 2))
        value, gradients = (jax.jit(both) if in_graph else both)(X, C, variable.value)
        return [np.asarray(array) for array in (value, *gradients)]
    import tensorflow as tf

    def of_tensors(x, c):
        with tf.GradientTape() as tape:
            tape.watch([x, c])
            value = function(x, c)
        sources = [x, c, variable.value]
        return [value, *tape.gradient(value, sources, unconnected_gradients="zero")]

    run = traced(of_tensors) if in_graph else of_tensors
    return [array.numpy() for array in run(tf.constant(X), tf.constant(C))]


def plain(x, c, variable):
    """The function that is fused, of an input, a constant and a variable."""
    return ops.tanh(x * c) * ops.sigmoid(variable) + x * variable


def one(x, c, variable):
    values = read(variable)
    return ops.sum(fused(lambda x, c: plain(x, c, variable), [x], [c], [variable], values))


def several(x, c, variable):
    def function(x, c):
        result = plain(x, c, variable)
        return result, ops.sum(ops.exp(variable) * x), ops.square(x)

    values = read(variable)
    result, total, square = fused(function, [x], [c], [variable], values)
    return ops.sum(result) + 2.0 * total + ops.sum(ops.sin(square))


def several_unused(x, c, variable):
    values = read(variable)
    function = lambda x, c: (plain(x, c, variable), ops.exp(x), ops.exp(variable))  # noqa: E731
    return ops.sum(fused(function, [x], [c], [variable], values)[0])


def one_of_a_tuple(x, c, variable):
    values = read(variable)
    function = lambda x, c: (plain(x, c, variable),)  # noqa: E731
    return ops.sum(fused(function, [x], [c], [variable], values)[0])


def in_branch(x, c, variable, positive=True):
    x, *values = read(x, variable)

    def fusing():
        function = lambda x, c: plain(x, c, variable)  # noqa: E731
        return fused(function, [x], [c], [variable], values)

    condition = ops.sum(c * c) > 0 if positive else ops.sum(c * c) < 0
    return ops.sum(ops.cond(condition, fusing, lambda: x * x))


def in_branch_not_taken(x, c, variable):
    return in_branch(x, c, variable, positive=False)


WAYS = [one, several, several_unused, one_of_a_tuple, in_branch, in_branch_not_taken]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_values_and_gradients_in_a_graph_are_those_of_eager_steps(way):
    variable = keras.Variable(START)
    function = lambda x, c: way(x, c, variable)  # noqa: E731
    eager = value_and_gradients(function, variable, in_graph=False)
    graph = value_and_gradients(function, variable, in_graph=True)
    assert abs(eager[1]).max() > 1e-3
    for place in (0, 1, 3):  # to a constant no gradient need flow
        np.testing.assert_allclose(graph[place], eager[place], rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(ON_JAX, reason="other backends differentiate all that is not stopped")
@pytest.mark.parametrize("way", [one, several, in_branch], ids=lambda way: way.__name__)
def test_no_gradient_flows_to_constants(way):
    variable = keras.Variable(START)
    found = value_and_gradients(lambda x, c: way(x, c, variable), variable, in_graph=True)
    np.testing.assert_array_equal(found[2], np.zeros_like(C))
    assert abs(found[3]).max() > 1e-3


def test_function_without_variables_or_constants():
    unused = keras.Variable(START)
    function = lambda x, c: ops.sum(fused(ops.square, [x]))  # noqa: E731
    value, gradient, *_ = value_and_gradients(function, unused, in_graph=True)
    np.testing.assert_allclose(value, (X * X).sum(), rtol=1e-6)
    np.testing.assert_allclose(gradient, 2 * X, rtol=1e-6)


def test_value_is_of_the_variable_as_it_was_read():
    """What is assigned between two traced runs is seen in the second."""
    variable = keras.Variable(START)
    function = lambda x, c: one(x, c, variable)  # noqa: E731
    before = value_and_gradients(function, variable, in_graph=True)
    variable.assign(START + 1)
    after, eager = (value_and_gradients(function, variable, in_graph) for in_graph in (True, False))
    np.testing.assert_allclose(after[0], eager[0], rtol=1e-5)
    assert before[0] != after[0]


def test_read_gives_tensors_that_do_not_follow_the_variable():
    variable = keras.Variable(START)
    found, same = read(variable, ops.convert_to_tensor(X))
    variable.assign(START + 1)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), START)
    np.testing.assert_array_equal(ops.convert_to_numpy(same), X)


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("condition", [True, False])
def test_when_assigns_only_where_the_condition_holds(condition, in_graph):
    variable = keras.Variable(1.0)

    def step(condition):
        def function():  # on other backends it runs always and sees to the condition itself
            before = ops.convert_to_tensor(variable)
            variable.assign(ops.where(condition, 5.0, before) if ON_JAX else 5.0)

        when(condition, function)
        return ops.convert_to_tensor(variable)

    if ON_JAX and in_graph:
        import jax

        def stateless(condition, value):
            with keras.StatelessScope(state_mapping=[(variable, value)]):
                return step(condition)

        found = jax.jit(stateless)(condition, variable.value)
    else:
        found = (traced(step) if in_graph else step)(ops.convert_to_tensor(condition))
    assert float(found) == (5.0 if condition else 1.0)


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_compiled_changes_variables(in_graph):
    variable, other = keras.Variable(START), keras.Variable(0, dtype="int32")

    def step():
        def function():
            variable.assign(ops.square(variable) + 1)
            other.assign_add(1)

        compiled(function)

    if ON_JAX:
        step()
    else:
        (traced(step) if in_graph else step)()
    np.testing.assert_allclose(ops.convert_to_numpy(variable), START * START + 1, rtol=1e-6)
    assert int(other) == 1
