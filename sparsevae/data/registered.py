"""Sets that others bring: registered in this process, or announced by an installed package."""

import collections
import copy
import functools
import inspect
import logging
import os
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from sparsevae.checks import check_choice
from sparsevae.data import catalog
from sparsevae.data.image_data import ImageData
from sparsevae.data.variants import split_name

GROUP = "sparsevae.data"

_MADE: dict[str, Callable[..., ImageData]] = {}
_LOGGER = logging.getLogger(__name__)


def register(name: str, make: Callable[..., ImageData]) -> None:
    """Makes a set of one's own known by a name, for `load`, variants, settings and studies.

    It is known in this process, and in the workers of its studies if a script registers it at its
    top level, which they run too. A package that is to bring a set to every process, to commands
    as well, announces its `make` as an entry point of the group "sparsevae.data", under the name
    of the set; it is imported when the set is asked for.

    Args:
        name: ASCII letters, digits and underscores; no set may have it yet, but one with the same
            `make`.
        make: Called without arguments at each `load`, or with `image_size`, if `load` is given one
            and `make` takes it. It returns `ImageData` (`GroundTruthData` if factors are known),
            of which `load` gives a copy if it has another name.

    Raises:
        TypeError: if `name` is not a string, or `make` not callable without arguments.
        ValueError: if `name` cannot be one or is taken.
    """
    if not isinstance(name, str):
        raise TypeError(f"`name` must be a string. Received: name={name!r}")
    _check_make(make)
    if problem := _problem(name):
        raise ValueError(f"`name` must {problem}. Received: name={name!r}")
    if name in _announced() or _MADE.get(name, make) is not make:
        raise ValueError(f"`name` must not be taken by another set. Received: name={name!r}")
    _MADE[name] = make


def names() -> list[str]:
    """Names of all these sets."""
    return [*_MADE, *_announced()]


def load(
    name: str,
    data_dir: str | os.PathLike | None,
    source: str,
    *,
    image_size: int | None,
    verify: bool,
) -> ImageData:
    """A set by a name from `names`.

    Raises:
        ImportError: if it is announced by a package that cannot be imported.
        TypeError: if what makes it is not callable without arguments, or gives no `ImageData`.
        ValueError: if several packages announce it, or an argument does not go with it.
    """
    for argument, value, usual in (("data_dir", data_dir, None), ("verify", verify, False)):
        if value != usual:
            raise ValueError(
                f"`{argument}` must be {usual} for {name!r}, which is made by a function. "
                f"Received: {argument}={value!r}"
            )
    make = _MADE[name] if name in _MADE else _imported(name)
    _check_make(make)
    if image_size is not None and "image_size" not in inspect.signature(make).parameters:
        raise ValueError(
            f"`image_size` must be None for {name!r}, whose `make` takes none. "
            f"Received: image_size={image_size!r}"
        )
    data = make() if image_size is None else make(image_size=image_size)
    if not isinstance(data, ImageData):
        raise TypeError(
            f"`make` of {name!r} must return ImageData. Received: a {type(data).__name__}"
        )
    check_choice("source", source, ("auto", data.source))
    if data.name != name:
        data = copy.copy(data)  # what the user holds keeps its name
        data.name = name
    return data


def _problem(name: str) -> str | None:
    """What a name must be, if it is not."""
    if not re.fullmatch(r"[A-Za-z0-9_]+", name) or split_name(name)[0]:
        return "be letters, digits and underscores, not beginning with color_, noisy_ or scream_"
    return "not be taken by a set of the catalog" if name in catalog.entries() else None


def _check_make(make):
    try:
        inspect.signature(make).bind()
    except (TypeError, ValueError):  # not callable; or in C, and silent about its arguments
        raise TypeError(
            f"`make` must be callable without arguments. Received: make={make!r}"
        ) from None


@functools.cache
def _announced() -> dict[str, list[EntryPoint]]:
    """What installed packages announce, by name; nothing of them is imported."""
    found = collections.defaultdict(list)
    for point in sorted(entry_points(group=GROUP)):
        if problem := _problem(point.name):
            _LOGGER.warning(
                "Set %r of the package %s is passed over: its name must %s",
                point.name, point.dist.name, problem,
            )  # fmt: skip
        else:
            found[point.name].append(point)
    return dict(found)


def _imported(name):
    points = _announced()[name]
    if len(points) > 1:
        listed = ", ".join(sorted(point.dist.name for point in points))
        raise ValueError(f"`name` {name!r} must be announced by one package. Received: {listed}")
    try:
        return points[0].load()
    except Exception as error:  # whatever the package does when it is imported
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ImportError(
            f"`name` {name!r}, a set that the package {points[0].dist.name} announces, cannot be "
            f"imported: {reason}"
        ) from error
