"""The fields of a batch: their names, and what each may hold."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from sparsevae.data.images import check_spec, check_values

FIELDS = ("images", "partner", "labels", "weight")
SINGULAR = {"image": "images", "label": "labels"}  # names of TensorFlow Datasets

NOT_ONE_ARRAY = (tf.RaggedTensor, tf.SparseTensor, np.ma.MaskedArray)


@dataclasses.dataclass(frozen=True)
class Contract:
    """What a model takes.

    Attributes:
        image_shape: `(height, width, channels)`; None where any size will do.
        uses: Names of `FIELDS` beside "images" that the objective consumes.
        objective_name: For messages.
        needs: Those of `uses` without which the objective cannot be computed.
    """

    image_shape: tuple[int | None, ...]
    uses: frozenset[str]
    objective_name: str = "the objective"
    needs: frozenset[str] = frozenset()


@contextlib.contextmanager
def prefixed(place: str) -> Iterator[None]:
    """Puts what is talked about before the message of a `ValueError` or `TypeError`."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"{place}: {error}") from None


def place_of(field: str, where: str) -> str:
    """How messages call a field of `where`: images go without saying."""
    return where if field == "images" else f"{where}, {field}"


def batch_name(number: int, argument: str) -> str:
    """How messages call a batch of a source; `sources.REFUSAL` looks for it."""
    return f"Batch {number} of `{argument}` (counted from 0)"


# Structure: arrays, tensors or specs alike


def split_fields(element: object, where: str) -> dict[str, object]:
    """What a batch holds, by name; the role of "y" is left open.

    Args:
        element: Images, a tuple `(images,)`, `(images, y)` or `(images, y, weight)` as in Keras
            (entries may be None), or a dict whose keys are `FIELDS`, "image" or "label".
        where: What is talked about, for messages.

    Returns:
        Dict that has "images" and may have "y" (from a tuple) and others of `FIELDS`.

    Raises:
        ValueError: if a name is unknown or given twice, images are missing, or a tuple has
            another length.
    """
    if isinstance(element, Mapping):
        return _by_name(element, where)
    if not isinstance(element, (tuple, list)):
        return {"images": element}
    if not 1 <= len(element) <= 3:
        raise ValueError(
            f"{where} must be (images,), (images, y) or (images, y, weight). "
            f"Received: a {type(element).__name__} of {len(element)}"
        )
    named = zip(("images", "y", "weight"), element, strict=False)
    fields = {name: value for name, value in named if value is not None}
    if isinstance(element[0], Mapping):
        if len(fields) > 1:
            raise ValueError(
                f"{where} has a dict of fields, so labels, partner and weight belong into it. "
                f"Received: {' and '.join(sorted(set(fields) - {'images'}))} beside the dict"
            )
        return _by_name(element[0], where)
    if "images" not in fields:
        raise ValueError(f"{where} must have images. Received: None")
    return fields


def _by_name(element, where):
    fields = {}
    for key, value in element.items():
        name = SINGULAR.get(key, key)
        if name not in FIELDS:
            raise ValueError(
                f"{where}: Unknown field {key!r}: expected some of {', '.join(FIELDS)} (or image, "
                f"label). Received: the fields {', '.join(repr(k) for k in element)}"
            )
        if name in fields:
            raise ValueError(f"{where}: {name} must be given once. Received: {name} and {key} too")
        if value is not None:
            fields[name] = value
    if "images" not in fields:
        received = ", ".join(repr(key) for key in element) or "an empty dict"
        raise ValueError(f"{where} must have the field 'images'. Received: {received}")
    return fields


def with_roles(
    fields: dict[str, object], contract: Contract, where: str, hint: str = "Leave it out"
) -> dict[str, object]:
    """The fields with `y` named by what the objective uses; refuses what it does not use.

    Args:
        fields: From `split_fields`; of each, `shape` is read.
        contract: What the model takes.
        where: What is talked about, for messages.
        hint: How the user can drop what is not used.

    Returns:
        Dict of some of `FIELDS`.

    Raises:
        ValueError: if a field is not used, one that is needed is missing, or `y` could be both
            partner and labels.
    """
    name = contract.objective_name
    if "y" in fields:
        roles = sorted(contract.uses & {"partner", "labels"})
        if not roles:
            raise ValueError(f"{where}: {name} does not use `y`: {_about_y(fields)}. {hint}")
        if len(roles) == 2 or roles[0] in fields:
            raise ValueError(
                f"{where}: `y` could be partner or labels, as {name} uses both. "
                "Give a dict with images, partner and labels"
            )
        fields = {roles[0] if key == "y" else key: value for key, value in fields.items()}
    for field in fields:
        if field != "images" and field not in contract.uses:
            used = ", ".join(["images", *(f for f in FIELDS if f in contract.uses)])
            raise ValueError(
                f"{where}: {name} does not use {field}, only {used}. {hint}. Received: {field} "
                f"of shape {tuple(fields[field].shape)}"
            )
    missing = [field for field in FIELDS if field in contract.needs - set(fields)]
    if missing:
        raise ValueError(
            f"{where} must have {' and '.join(missing)}, which {name} needs. Received: "
            f"{', '.join(fields)} only"
        )
    return fields


def _about_y(fields):
    """What a y that nobody uses seems to be."""
    images, y = fields["images"], fields["y"]
    received = f"Received: y of shape {tuple(y.shape)}"
    if len(y.shape) < 3:
        return f"labels are for objectives that use labels. {received}"
    if isinstance(y, np.ndarray) and (y is images or np.array_equal(y, images)):
        return f"SparseVAE reconstructs its input: pass the images alone. {received}"
    return (
        "SparseVAE reconstructs its input: pass the images alone; pairs are for objectives that "
        f"use partner. {received}"
    )


# Content


def check_field_spec(field: str, shape: tuple, dtype: object, image_shape: tuple) -> None:
    """Refuses a field by its shape (None where it is open) and dtype (NumPy or TensorFlow).

    Raises:
        ValueError: with what was expected and what was received.
    """
    if field in ("images", "partner"):
        check_spec(shape, dtype, image_shape)
        return
    if len(shape) != 1 and (field == "weight" or len(shape) != 2 or shape[1] == 0):
        expected = "(n,)" if field == "weight" else "(n, n_factors) or (n,)"
        raise ValueError(f"{field} must have the shape {expected}. Received: shape {shape}")
    dtype = np.dtype(getattr(dtype, "as_numpy_dtype", dtype))
    if not np.can_cast(dtype, np.float64, casting="same_kind"):
        raise ValueError(f"{field} must be real numbers. Received: dtype {dtype.name}")


def check_range(field: str, low: float, high: float) -> None:
    """Refuses labels or weights by their least and greatest value, both NaN if there is a NaN.

    Raises:
        ValueError: with the values found.
    """
    least = 0 if field == "weight" else -np.inf
    if not (low >= least and low > -np.inf and high < np.inf):  # written so that NaN fails too
        found = "NaN" if np.isnan(low) else f"values from {low:.4g} to {high:.4g}"
        expected = "finite and at least 0" if field == "weight" else "finite"
        raise ValueError(f"{field} must be {expected}. Received: {found}")


def check_lengths(lengths: dict[str, int]) -> None:
    """Refuses fields of unequal lengths, and no images at all.

    Raises:
        ValueError: with the lengths.
    """
    if lengths["images"] == 0:
        raise ValueError("At least one image is needed. Received: 0 images")
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{n} {field}" for field, n in lengths.items())
        raise ValueError(f"All fields must have the same length. Received: {received}")


def as_array(value: object, place: str) -> np.ndarray:
    """Arrays, tensors, nested lists and whatever knows how to be an array, as an array.

    Raises:
        TypeError: if it is something else: ragged, sparse, a file name, ...
    """
    is_array = isinstance(value, (list, tuple)) or hasattr(value, "__array__")
    if not is_array or isinstance(value, NOT_ONE_ARRAY):
        received = "None" if value is None else f"a {type(value).__name__}"
        raise TypeError(f"{place} must be one dense array. Received: {received}")
    try:
        return np.asarray(value)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise TypeError(
            f"{place} must be one dense array. Received: a {type(value).__name__} ({reason})"
        ) from None


def checked_arrays(
    element: object, contract: Contract, where: str, places: Mapping[str, str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a batch, or of all the data, by field; checked for all that can be wrong.

    Args:
        element: As for `split_fields`.
        contract: What the model takes.
        where: What is talked about, for messages.
        places: What to call some fields, if not by `place_of`.

    Returns:
        Dict of some of `FIELDS`; dtypes as they came.

    Raises:
        ValueError: if a value, shape, dtype or name is wrong.
        TypeError: if something is not an array.
    """
    places = places or {}
    raw = split_fields(element, where)
    place = {field: places.get(field, place_of(field, where)) for field in (*FIELDS, "y")}
    arrays = {field: as_array(value, place[field]) for field, value in raw.items()}
    # First: with wrong images, nothing can be said of what is beside them.
    check_array("images", arrays["images"], contract.image_shape, place["images"])
    arrays = with_roles(arrays, contract, where)
    for field in arrays.keys() - {"images"}:
        check_array(field, arrays[field], contract.image_shape, place[field])
    with prefixed(where):
        check_lengths({field: len(array) for field, array in arrays.items()})
    return arrays


def check_array(field: str, array: np.ndarray, image_shape: tuple, place: str) -> None:
    """Refuses an array by shape, dtype and range; it may be empty.

    Raises:
        ValueError: with what was expected and what was received.
    """
    with prefixed(place):
        check_field_spec(field, array.shape, array.dtype, image_shape)
        if field in ("images", "partner"):
            check_values(array)
        elif array.size:
            check_range(field, float(array.min()), float(array.max()))


def packed(fields: dict[str, object]) -> object:
    """Fields as they go through Keras: images alone, or a dict."""
    return fields["images"] if len(fields) == 1 else fields
