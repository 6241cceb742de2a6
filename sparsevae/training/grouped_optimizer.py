"""One optimizer for all variables, with groups that keep their own state and time."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.training.fusion import when_on_replicas
from sparsevae.training.groups import Group, assign_marks, group_of, marks_of
from sparsevae.training.kept_gradient import KeptGradient
from sparsevae.training.updates import WhileActive, check_config, update_by, without_shared_state

_SHARED = (  # done once for all groups, by the settings of the optimizer that the user gave
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


@keras.saving.register_keras_serializable("sparsevae")
class GroupedOptimizer(keras.optimizers.Optimizer):
    """Any stock optimizer, with groups of variables that start, stop and count by themselves.

    Clipping, weight decay, moving averages, accumulation of gradients, the learning rate and the
    count of steps are those of `base`, over all variables in the model's order, so callbacks,
    schedules, `SwapEMAWeights` and `LossScaleOptimizer` find what they expect. The update itself
    is made group by group. A group has its own moments and its own count of updates: Adam's bias
    correction starts when the group does. While a group is inactive (`set_active`) nothing of it
    moves, whatever momentum it has gathered.

    Args:
        base: Keras optimizer, or its name. It trains all variables of no group, and stays the
            place to read and set the learning rate.
        groups: Of the variables that `assign_group` marked.

    Raises:
        TypeError: if `base` is itself a wrapper: `LossScaleOptimizer` goes around this one.
        ValueError: in `build`, if a variable is of a group that is not given.
    """

    def __init__(
        self,
        base: keras.optimizers.Optimizer | str,
        groups: Sequence[Group] = (),
        name: str = "grouped_optimizer",
    ):
        base = keras.optimizers.get(base)
        if isinstance(base, (keras.optimizers.LossScaleOptimizer, GroupedOptimizer)):
            raise TypeError(
                "`base` must be an optimizer that wraps no other; put LossScaleOptimizer around "
                f"GroupedOptimizer. Received: base={type(base).__name__}"
            )
        if not isinstance(base, keras.optimizers.Optimizer):
            raise TypeError(f"`base` must be a Keras optimizer or its name. Received: {base!r}")
        if wrong := [group for group in groups if not isinstance(group, Group)]:
            raise TypeError(f"`groups` must be a list of Group. Received: {wrong[0]!r}")
        check_config(base)
        names = [group.name for group in groups]
        if len(set(names)) < len(names):
            raise ValueError(f"`groups` must have distinct names. Received: {', '.join(names)}")
        shared = {setting: getattr(base, setting) for setting in _SHARED}
        super().__init__(learning_rate=0.0, name=name, **shared)
        self._unused = {id(v) for v in self._variables}  # its count and rate are the base's
        self.base = base
        self._iterations = base._iterations
        self.groups = {group.name: group for group in groups}
        self._rules = {group.name: self._rule(group) for group in groups}
        self._constraints = {}
        self._marked: dict[str, list[str | None]] = {}  # groups by path; see `marks_of`
        self._kept: dict[int, KeptGradient] = {}  # by identity: two variables may share a path
        self._active = {
            name: self.add_variable(
                (), "ones", aggregation="only_first_replica", name=f"{name}_active"
            )
            for name in self.groups
        }

    def _rule(self, group):
        """The optimizer that makes a group's updates: steps and moments, nothing else."""
        made_from = group.optimizer or self.base
        config = made_from.get_config()
        config |= {"use_ema": False, "gradient_accumulation_steps": None, "name": group.name}
        if group.optimizer is None:
            config["learning_rate"] = 0.0  # handed to each update; a function could not be copied
        return type(made_from).from_config(config)

    # State

    @property
    def variables(self) -> list[keras.Variable]:
        """All state, one list: of this object, of the base, of each group."""
        rules = [variable for rule in self._all_rules() for variable in rule.variables]
        found = {id(v): v for v in [*self._variables, *rules, *self._own_rates()]}
        return [variable for key, variable in found.items() if key not in self._unused]

    def _own_rates(self):
        """Learning rates of groups' own optimizers, where users may change them."""
        own = [group.optimizer for group in getattr(self, "groups", {}).values()]
        rates = [optimizer._learning_rate for optimizer in own if optimizer is not None]
        return [rate for rate in rates if isinstance(rate, keras.Variable)]

    def _all_rules(self):
        return [self.base, *self._rules.values()] if hasattr(self, "_rules") else []

    @property
    def learning_rate(self):
        """That of the base."""
        return self.base.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.base.learning_rate = learning_rate

    def iterations_of(self, name: str) -> Any:
        """Number of updates that a group has made, an integer scalar."""
        check_choice("name", name, self.groups)
        return self._rules[name].iterations

    def set_active(self, name: str, active: Any) -> None:
        """Lets a group move (1) or stand still (0) from the next update on.

        Args:
            name: Of a group.
            active: Scalar, 0 or 1; a tensor in a traced step.
        """
        check_choice("name", name, self.groups)
        self._active[name].assign(ops.cast(active, "float32"))

    def keeps_gradient(self, variable: keras.Variable) -> bool:
        """Whether a variable had `watch_gradient` set when this was built."""
        return id(variable) in self._kept

    def gradient_of(self, variable: keras.Variable) -> keras.Variable:
        """The last gradient of a variable for which `keeps_gradient`."""
        return self._kept[id(variable)].gradient

    def train_only(self, variable: keras.Variable, part: Any) -> None:
        """Lets only a part of a variable for which `keeps_gradient` move, from the next update on.

        Args:
            variable: Its whole gradient is kept.
            part: 1 where the optimizer shall see the gradient, else 0; broadcasts to its shape.
        """
        self._kept[id(variable)].part.assign(ops.broadcast_to(part, variable.shape))

    def average_of(self, variable: keras.Variable) -> keras.Variable | None:
        """The moving average of a trained variable; None where this keeps none."""
        if not self.use_ema:
            return None
        pairs = zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        return next((average for trained, average in pairs if trained is variable), None)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the state for all trainable variables of a model."""
        if self.built:
            return
        assign_marks(variables, self._marked)  # as when it was saved
        for variable in variables:
            if group_of(variable) is not None:
                self._check_group(variable)
        self._check_base(variables)
        super().build(variables)
        self._marked = marks_of(variables)
        with without_shared_state(self.base):
            self.base.build(self._members(None, variables))
        for name, rule in self._rules.items():
            rule.build(self._members(name, variables))
        self._kept = {
            id(variable): KeptGradient(self, variable)
            for variable in variables
            if getattr(variable, "watch_gradient", False)
        }

    def _check_group(self, variable):
        if group_of(variable) not in self.groups:
            known = f"has {', '.join(map(repr, self.groups))}" if self.groups else "has no groups"
            raise ValueError(
                f"{variable.path} is of the group {group_of(variable)!r}, and this optimizer "
                f"{known}: give it `groups=[Group({group_of(variable)!r})]`"
            )

    def _check_base(self, variables):
        """Refuses an optimizer that has trained something else."""
        if self.base.built:
            known = {id(variable) for variable in self.base._trainable_variables}
            if known != {id(variable) for variable in self._members(None, variables)}:
                raise ValueError(
                    f"The optimizer {self.base.name!r} has trained other variables: make a new "
                    f"one, {type(self.base).__name__}.from_config(old.get_config())"
                )

    @staticmethod
    def _members(name, variables):
        return [variable for variable in variables if group_of(variable) == name]

    # A step

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """One step of all active groups; see `keras.optimizers.Optimizer.apply`."""
        variables = (
            self._trainable_variables if trainable_variables is None else trainable_variables
        )
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        grads = [  # what is fixed has none in a step that runs eagerly, and 0 in a traced one
            ops.zeros_like(v) if g is None and group_of(v) else g
            for g, v in zip(grads, variables, strict=True)
        ]
        grads = [
            self._kept[id(v)].seen(g) if id(v) in self._kept else g
            for g, v in zip(grads, variables, strict=True)
        ]
        # Those of groups are applied only where the group is active. Replicas come one by one.
        grouped = [
            variable
            for variable in variables
            if group_of(variable) and not isinstance(variable.constraint, (type(None), WhileActive))
        ]
        self._constraints |= {id(variable): variable.constraint for variable in grouped}
        try:
            for variable in grouped:
                late = WhileActive(variable.constraint, self._active[group_of(variable)])
                variable.constraint = None if self._constrains_in_update else late
            super().apply(grads, trainable_variables)
        finally:
            for variable in grouped:
                variable.constraint = self._constraints[id(variable)]

    @property
    def _constrains_in_update(self):
        """Whether constraints of groups are fused with the update; not if Keras acts in between."""
        return not (self.use_ema or self.gradient_accumulation_steps)

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """As of the base, which does the decay."""
        self.base.exclude_from_weight_decay(var_list, var_names)

    def _apply_weight_decay(self, variables):
        self.base._apply_weight_decay(self._members(None, variables))  # groups: in their update

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        of_group = {}
        for pair in zip(grads, trainable_variables, strict=True):
            of_group.setdefault(group_of(pair[1]), []).append(pair)
        for name, pairs in of_group.items():
            grads, variables = (list(column) for column in zip(*pairs, strict=True))
            if name is None:
                update_by(self.base, grads, variables, learning_rate)
            else:
                self._update_group(name, grads, variables, learning_rate)

    def _update_group(self, name, grads, variables, learning_rate):
        rule, group = self._rules[name], self.groups[name]
        own = group.optimizer
        if own is not None:
            if isinstance(own._learning_rate, keras.Variable):  # it may be changed at any time
                rule._learning_rate.assign(ops.convert_to_tensor(own._learning_rate))
            learning_rate = rule.learning_rate
        rate = ops.multiply(learning_rate, group.learning_rate_factor)

        early = self._constrains_in_update
        constraints = [(v, early and self._constraints.get(id(v))) for v in variables]

        def after():
            for variable, constraint in constraints:
                if constraint:
                    variable.assign(constraint(variable))
            rule._iterations.assign_add(1)

        def update(grads):
            if own is not None:
                grads = rule._clip_gradients(grads)
                rule._apply_weight_decay(variables)
            if group.decay:
                self.base._apply_weight_decay(variables)
            update_by(rule, grads, variables, rate, after)

        active = ops.greater(self._active[name], 0.5)
        if keras.backend.backend() == "tensorflow":
            when_on_replicas(active, update, grads)
            return
        moving = [*variables, *rule.variables]
        before = [ops.copy(ops.convert_to_tensor(variable)) for variable in moving]
        update(grads)
        for variable, old in zip(moving, before, strict=True):
            variable.assign(ops.where(active, ops.convert_to_tensor(variable), old))

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Sets these variables to their moving averages, where the optimizer keeps such."""
        if not self.use_ema:
            return
        wanted = {self._var_key(variable) for variable in var_list}
        pairs = zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        for variable, average in pairs:
            if self._var_key(variable) in wanted and average is not None:
                variable.assign(average)

    # Saving

    def save_own_variables(self, store: dict) -> None:
        """State that is not of an inner optimizer, which Keras saves by itself."""
        for number, variable in enumerate(self._own_variables()):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: dict) -> None:
        """Counterpart of `save_own_variables`; a file of other variables is refused by Keras."""
        own = self._own_variables()
        if len(store.keys()) != len(own):
            super().load_own_variables(store)  # warns and skips
            return
        for number, variable in enumerate(own):
            variable.assign(store[str(number)])

    def _own_variables(self):
        others = {id(v) for rule in self._all_rules() for v in rule.variables} | self._unused
        return [variable for variable in self._variables if id(variable) not in others]

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        groups = [
            {**dataclasses.asdict(group), "optimizer": serialize(group.optimizer)}
            for group in self.groups.values()
        ]
        config = {"name": self.name, "base": serialize(self.base), "groups": groups}
        return {**config, "marked": self._marked}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "GroupedOptimizer":
        def made(part):
            return keras.saving.deserialize_keras_object(part, custom_objects=custom_objects)

        groups = [
            Group(**{**group, "optimizer": made(group["optimizer"])}) for group in config["groups"]
        ]
        optimizer = cls(made(config["base"]), groups, config["name"])
        optimizer._marked = config.get("marked", {})
        return optimizer
