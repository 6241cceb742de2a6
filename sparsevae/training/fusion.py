"""Arithmetic over arrays the size of all links in one pass instead of ten.

TensorFlow runs each operation over memory by itself. XLA fuses them, but makes convolutions 2.6
times slower on a CPU, so a model cannot be compiled whole there: only what is given to `fused` is.
Other backends compile the whole step themselves.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras


def read(*variables: Any) -> list[Any]:
    """Values of variables as tensors; tensors as they are.

    What is fused inside a branch must be read outside of it: TensorFlow's gradient of a branch
    does not find what a compiled function read in there.
    """
    if keras.backend.backend() != "tensorflow":
        return [keras.ops.convert_to_tensor(variable) for variable in variables]
    import tensorflow as tf

    return [tf.convert_to_tensor(getattr(v, "value", v)) for v in variables]


def window(table: Any, start: Any, size: int) -> Any:
    """`table[start : start + size]` of a 1-D tensor; `start` is an integer tensor `()`.

    XLA by TensorFlow compiles a slice anew for each start, so there its entries are
    gathered; a slice is quicker elsewhere.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

        if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
            return tf.gather(table, start + tf.range(size))
    return keras.ops.slice(table, keras.ops.reshape(start, (1,)), (size,))


def fused(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    constants: Sequence[Any] = (),
    variables: Sequence[keras.Variable] = (),
    values: Sequence[Any] = (),
) -> Any:
    """`function(*inputs, *constants)`, one kernel forward and one backward where possible.

    It is possible while TensorFlow traces a step on one device. The backward pass computes
    `function` again rather than storing what lies between.

    Args:
        function: Of tensors; also reads variables, changes nothing; gives a tensor or a tuple.
        inputs: Tensors that gradients flow to.
        constants: Tensors that none flow to.
        variables: All variables that `function` reads, float; gradients flow to them.
        values: What it finds in them, of `read`.
    """
    if not traced_by_tensorflow():
        return function(*inputs, *constants)
    import tensorflow as tf

    n_variables, n_learned = len(variables), len(variables) + len(inputs)

    def of_tensors(*given):
        pairs = list(zip(variables, given[:n_variables], strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            return function(*given[n_variables:])

    def backward_of_tensors(upstream, *given):
        learned = given[:n_learned]
        with tf.GradientTape() as tape:
            tape.watch(learned)
            result = of_tensors(*given)
        return tape.gradient(result, learned, upstream, unconnected_gradients="zero")

    forward = tf.function(of_tensors, jit_compile=True, autograph=False)
    backward = tf.function(backward_of_tensors, jit_compile=True, autograph=False)

    @tf.custom_gradient
    def call(*given):
        def gradient(*upstream):
            upstream = upstream if len(upstream) > 1 else upstream[0]
            return [*backward(upstream, *given), *[None] * len(constants)]

        return forward(*given), gradient

    return call(*values, *inputs, *constants)


def compiled(function: Callable[[], None]) -> None:
    """Runs `function()`, which may change variables, as one kernel where that is possible."""
    if traced_by_tensorflow():
        import tensorflow as tf

        function = tf.function(function, jit_compile=True, autograph=False)
    function()


def traced_by_tensorflow() -> bool:
    """Whether TensorFlow is tracing a graph for a single device."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.executing_eagerly() and not tf.distribute.has_strategy()


def when(condition: Any, function: Callable[[], Any]) -> None:
    """Runs `function()`, which assigns variables, where `condition`, a boolean scalar.

    Where TensorFlow traces or runs on one device nothing is done elsewhere. Other backends and
    strategies know no branch that assigns: there `function` runs always and must itself leave
    everything as it is where the condition does not hold.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.distribute.has_strategy():
            tf.cond(condition, lambda: (function(), tf.constant(0))[1], lambda: tf.constant(0))
            return
    function()


def assign_when(
    condition: Any, variables: Sequence[keras.Variable], values: Callable[[], Sequence[Any]]
) -> None:
    """Assigns `values()`, one for each variable, where `condition`, a boolean scalar.

    Elsewhere they are not computed.

    Args:
        condition: Boolean scalar.
        variables: That are assigned.
        values: Of tensors; reads variables and assigns none.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.distribute.has_strategy():

            def assign():
                for variable, value in zip(variables, values(), strict=True):
                    variable.assign(value)

            when(condition, assign)
            return
    before = [keras.ops.convert_to_tensor(variable) for variable in variables]

    def new():  # of the dtypes of the old, as both branches must be
        pairs = zip(variables, values(), strict=True)
        return [keras.ops.cast(value, variable.dtype) for variable, value in pairs]

    now = keras.ops.cond(condition, new, lambda: before)
    for variable, value in zip(variables, now, strict=True):
        variable.assign(value)


def when_on_replicas(
    condition: Any, function: Callable[[Sequence[Any]], Any], tensors: Sequence[Any]
) -> None:
    """`function(tensors)`, an update by an optimizer, where `condition`; TensorFlow only.

    A branch, since going over all state to select new or old costs 2 % of a training step. A
    strategy allows no branch inside a replica, so there the replicas are inside the branch, as
    in Keras's `LossScaleOptimizer`.
    """
    import tensorflow as tf

    if not tf.distribute.has_strategy():
        when(condition, lambda: function(tensors))
        return

    def across_replicas(strategy, condition, tensors):
        def branch():
            strategy.extended.call_for_each_replica(function, args=(tensors,))
            return tf.constant(0)

        tf.cond(
            strategy.experimental_local_results(condition)[0],  # the same on all
            branch,
            lambda: tf.constant(0),
        )

    tf.distribute.get_replica_context().merge_call(across_replicas, args=(condition, tensors))
