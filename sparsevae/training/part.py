"""Objectives and controls as tracked Keras objects whose settings may change while they work."""

import numbers as kinds
from collections.abc import Mapping
from typing import Any

import keras

from sparsevae.training.fusion import read

Schedule = keras.optimizers.schedules.LearningRateSchedule
_LARGEST = 3.4028234663852886e38  # of float32


class Setting:
    """Attribute of a `Part`: a finite number, or a Keras schedule of the step.

    A number lives in a variable, so that assigning another one, in a callback say, takes effect
    in the next step of a compiled model. Read in Python it is a float (or the schedule); inside a
    step it is read by `part.value_of(name, step)`.

    Args:
        minimum: Least value.
        unit: What the number counts, for messages.
    """

    def __init__(self, minimum: float = 0.0, unit: str = ""):
        self.minimum, self.unit = minimum, unit

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, part, owner=None):
        if part is None:
            return self
        if self.name in (schedules := part.__dict__.get("_schedules", {})):
            return schedules[self.name]
        try:
            return float(read(part.__dict__["_numbers"][self.name])[0])
        except KeyError:
            raise AttributeError(self.name) from None

    def __set__(self, part, value):
        number = 0.0 if isinstance(value, Schedule) else self._number(value)  # or refuses
        schedules = part.__dict__.setdefault("_schedules", {})
        schedules.pop(self.name, None)
        numbers = part.__dict__.setdefault("_numbers", {})
        if isinstance(value, Schedule):
            schedules[self.name] = value
        if self.name in numbers:
            numbers[self.name].assign(number)
            return
        numbers[self.name] = part.add_weight(
            name=self.name,
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(number),
            trainable=False,
        )

    def _number(self, value):
        number = value.numpy() if hasattr(value, "numpy") else value
        if _is_number(number) and self.minimum <= number <= _LARGEST:  # so that NaN fails too
            return float(number)
        raise ValueError(
            f"`{self.name}` must be a finite number of at least {self.minimum:g}"
            f"{f' ({self.unit})' if self.unit else ''}, or a Keras LearningRateSchedule. "
            f"Received: {self.name}={value!r}"
        )


def _is_number(value):
    """Whether a real number or an array of one; no string, truth value or complex number."""
    if getattr(value, "shape", None) == ():
        return any(kind in str(value.dtype) for kind in ("float", "int"))
    return isinstance(value, kinds.Real) and not isinstance(value, bool)


class Part(keras.layers.Layer):
    """Base of objectives and controls: a Keras layer that is never called.

    Being a layer makes it tracked: weights, other layers and seeds of a part are weights of the
    model, trained with it and in all of its files. `build` may create more of them.
    Attributes declared as `Setting` are numbers or schedules. Any other public attribute may be
    changed too: `n_changes` counts, and the model traces its step anew.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """All settings of the class by name."""
        return {
            name: found
            for kind in reversed(cls.__mro__)
            for name, found in vars(kind).items()
            if isinstance(found, Setting)
        }

    def value_of(self, name: str, step: Any) -> Any:
        """Value of a setting at `step`, a float32 scalar tensor."""
        if name in self._schedules:
            return keras.ops.cast(self._schedules[name](step), "float32")
        return keras.ops.convert_to_tensor(self._numbers[name])

    @property
    def n_changes(self) -> int:
        """How often something was changed that a traced step does not see."""
        return self.__dict__.get("_n_changes", 0)

    def __setattr__(self, name: str, value: Any) -> None:
        before = self._traced(name)
        super().__setattr__(name, value)
        if not name.startswith("_") and not _same(self._traced(name), before):
            self.__dict__["_n_changes"] = self.__dict__.get("_n_changes", 0) + 1

    def _traced(self, name):
        """What a traced step sees of an attribute: of a setting, whether it is a schedule."""
        schedule = self.__dict__.get("_schedules", {}).get(name)
        return schedule if name in self.settings() else self.__dict__.get(name)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As `keras.layers.Layer`; a file of before this part had variables leaves them as new."""
        if store.keys():
            super().load_own_variables(store)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        settings = {name: serialize(getattr(self, name)) for name in self.settings()}
        return {**super().get_config(), **settings}

    @classmethod
    def from_config(cls, config: dict) -> "Part":
        made = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in cls.settings()
            if isinstance(config.get(name), dict)
        }
        return cls(**{**config, **made})


def _same(new, old):
    plain = isinstance(new, (int, float, str)) and type(new) is type(old)
    return new is old or (plain and new == old)
