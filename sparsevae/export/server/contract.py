"""The JSON of TensorFlow Serving's REST interface: requests, predictions, status, metadata.

Source: https://www.tensorflow.org/tfx/serving/api_rest.
"""

import dataclasses
import io
import reprlib

import numpy as np
import orjson

from sparsevae.data.images import check_images
from sparsevae.export.inputs import read_image
from sparsevae.export.server import base64_text, regular_json

DEFAULT = "serving_default"
VERSION = "1"


@dataclasses.dataclass(frozen=True)
class Contract:
    """Sizes of a model, and by signature the name of the input and the names of the outputs.

    Attributes:
        name: Of the model, as in the address.
        image_shape: `(height, width, channels)`.
        latent_dim: Number of latents.
    """

    name: str
    image_shape: tuple[int, int, int]
    latent_dim: int

    @property
    def signatures(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By name: input and outputs."""
        codes = ("codes", "log_variance")
        return {
            DEFAULT: ("images", codes),
            "encode": ("images", codes),
            "decode": ("codes", ("images",)),
            "reconstruct": ("images", ("images",)),
        } | ({"encode_png": ("png", codes)} if self.image_shape[-1] in (1, 3) else {})


@dataclasses.dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        signature: "encode", "decode" or "reconstruct".
        array: Images or codes.
        by_row: Whether the answer has one entry an instance, or one an output.
    """

    signature: str
    array: np.ndarray
    by_row: bool


def parse(body: bytes, contract: Contract) -> Asked:
    """A request in row format (`instances`) or column format (`inputs`).

    Raises:
        ValueError: saying what is wrong with it.
    """
    asked = regular_json.loads(body, contract.image_shape)
    if not isinstance(asked, dict) or ("instances" in asked) == ("inputs" in asked):
        raise ValueError("The body must be an object with either `instances` or `inputs`")
    if unknown := asked.keys() - {"instances", "inputs", "signature_name"}:
        raise ValueError(
            "The body may hold `signature_name` and one of `instances` and `inputs`. "
            f"Received: {_short(sorted(unknown))}"
        )
    signature = asked.get("signature_name") or DEFAULT
    if not isinstance(signature, str) or signature not in contract.signatures:
        raise ValueError(
            f"`signature_name` must be one of {', '.join(contract.signatures)}. "
            f"Received: {_short(signature)}"
        )
    name, _ = contract.signatures[signature]
    by_row = "instances" in asked
    values = _rows(asked["instances"], name) if by_row else _column(asked["inputs"], name)
    if name == "png":
        return Asked("encode", _read_png(values, contract.image_shape), by_row)
    signature = "encode" if signature == DEFAULT else signature
    return Asked(signature, _numbers(values, name, contract), by_row)


def _rows(instances, name):
    if isinstance(instances, np.ndarray):
        return instances
    if not isinstance(instances, list) or not instances:
        raise ValueError("`instances` must be a list of at least one instance")
    if not isinstance(instances[0], dict) or instances[0].keys() == {"b64"}:
        return instances
    for k, instance in enumerate(instances):
        if not isinstance(instance, dict) or instance.keys() != {name}:
            found = sorted(instance) if isinstance(instance, dict) else instance
            raise ValueError(
                f"Each instance must be an object with `{name}` alone, or its value. "
                f"Received: {_short(found)} as instance {k}"
            )
    return [instance[name] for instance in instances]


def _column(inputs, name):
    if isinstance(inputs, dict):
        if inputs.keys() != {name}:
            raise ValueError(f"`inputs` must hold `{name}`. Received: {_short(sorted(inputs))}")
        inputs = inputs[name]
    if not isinstance(inputs, (list, np.ndarray)) or not len(inputs):
        raise ValueError(f"`inputs` must be a list of at least one of `{name}`")
    return inputs


def _numbers(values, name, contract):
    """Nested lists as a float array of the shape that the input has."""
    try:
        array = np.asarray(values)  # as it is, if `regular_json` has made one
    except ValueError:  # lists of uneven lengths
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"`{name}` must be numbers in lists of equal lengths. Received: {_short(values)}"
        )
    array = array.astype(np.float64, copy=False)
    if name == "images":
        return check_images(array, contract.image_shape)
    with np.errstate(over="ignore"):
        codes = array.astype(np.float32)
    if codes.ndim != 2 or codes.shape[1] != contract.latent_dim or not np.isfinite(codes).all():
        raise ValueError(
            f"`codes` must be finite numbers of shape (n, {contract.latent_dim}). "
            f"Received: shape {codes.shape}"
        )
    return codes


def _read_png(values, image_shape):
    images = np.stack([_read_one_png(k, value, image_shape) for k, value in enumerate(values)])
    return check_images(images, image_shape)


def _read_one_png(k, value, image_shape):
    if not isinstance(value, dict) or value.keys() != {"b64"} or not isinstance(value["b64"], str):
        raise ValueError(
            f'`png` must be objects {{"b64": "..."}}. Received: {_short(value)} as instance {k}'
        )
    try:
        file = base64_text.decode(value["b64"])
    except ValueError as error:
        raise ValueError(f"`b64` of instance {k} must be base64. Received: {error}") from None
    try:
        return read_image(io.BytesIO(file), image_shape)
    except ValueError as error:
        raise ValueError(f"Instance {k}: {error}") from error


def _short(value):
    return reprlib.repr(value)  # without writing out megabytes first


def predictions(outputs: dict[str, np.ndarray], by_row: bool) -> bytes:
    """The answer to a request, as JSON."""
    if not by_row:
        value = outputs if len(outputs) > 1 else next(iter(outputs.values()))
        answer = {"outputs": value}
    elif len(outputs) == 1:
        answer = {"predictions": next(iter(outputs.values()))}
    else:
        rows = zip(*outputs.values(), strict=True)
        answer = {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def status(state: str) -> dict:
    """What `GET /v1/models/NAME` answers; `state` is AVAILABLE or UNLOADING."""
    fine = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{"version": VERSION, "state": state, "status": fine}]}


def metadata(contract: Contract) -> dict:
    """What `GET /v1/models/NAME/metadata` answers."""
    shapes = {"images": contract.image_shape, "png": ()}

    def tensor(signature, name):
        shape = (-1, *shapes.get(name, (contract.latent_dim,)))
        return {
            "dtype": "DT_STRING" if name == "png" else "DT_FLOAT",
            "tensor_shape": {
                "dim": [{"size": str(n), "name": ""} for n in shape],
                "unknown_rank": False,
            },
            "name": f"{signature}_{name}:0",
        }

    signatures = {
        signature: {
            "inputs": {given: tensor(signature, given)},
            "outputs": {name: tensor(signature, name) for name in outputs},
            "method_name": "tensorflow/serving/predict",
        }
        for signature, (given, outputs) in contract.signatures.items()
    }
    return {
        "model_spec": {"name": contract.name, "signature_name": "", "version": VERSION},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }
