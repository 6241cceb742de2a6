"""What an encoder takes: arrays, `tf.data` datasets of batches, folders of image files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sparsevae.data.images import check_images, check_spec
from sparsevae.data.own.folder import image_names

_MODES = {1: ("L", "1"), 3: ("RGB",)}  # of Pillow, by number of channels


def batches(
    source, image_shape: tuple[int, int, int], batch_size: int
) -> tuple[Iterator[np.ndarray], int | None]:
    """Checked batches of images, and how many images there are, None if that is not known.

    Args:
        source: Array of images; `tf.data.Dataset` of batches, alone or first of a tuple; or path of
            a folder of image files, read in the order of `image_files`.
        image_shape: `(height, width, channels)`.
        batch_size: Largest batch of arrays and folders; datasets come as they are.

    Raises:
        FileNotFoundError: if the folder is absent.
        ValueError: if it holds no images; for another shape, dtype or range, at the batch where
            it is found; or for a dataset without end.
    """
    if hasattr(source, "element_spec"):
        return _of_dataset(source, image_shape)
    if isinstance(source, (str, Path)):
        source = image_files(source)

        def read(files):
            images = np.stack([read_image(file, image_shape) for file in files])
            return check_images(images, image_shape)
    else:
        source = check_images(source, image_shape)

        def read(images):
            return images

    starts = range(0, len(source), batch_size)
    return (read(source[k : k + batch_size]) for k in starts), len(source)


def _of_dataset(dataset, image_shape):
    spec = dataset.element_spec
    spec = spec[0] if isinstance(spec, (tuple, list)) else spec
    if not hasattr(spec, "dtype") or spec.shape.rank is None:
        raise ValueError(f"A dataset must give batches of images. Received: {dataset.element_spec}")
    check_spec(tuple(spec.shape), spec.dtype, image_shape)
    n_batches = int(dataset.cardinality())
    if n_batches == -1:
        raise ValueError("A dataset must end; take(n) gives its first n batches. Received: endless")

    def read():
        for batch in dataset.as_numpy_iterator():
            batch = batch[0] if isinstance(batch, (tuple, list)) else batch
            yield check_images(batch, image_shape)

    return read(), None


def image_files(folder: str | Path) -> list[Path]:
    """Image files in a folder and those below it, sorted: see `data.image_folder.image_names`.

    Raises:
        DataFileError: if the folder holds none.
        FileNotFoundError: if it is absent.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"`folder` must be a folder of images. Received: {folder}")
    return [folder / name for name in image_names(folder)]


def read_image(file, image_shape: tuple[int, int, int]) -> np.ndarray:
    """One image file as uint8 `(height, width, channels)`, turned as its EXIF says.

    Nothing is resized or recolored.

    Args:
        file: Path, or a binary stream.
        image_shape: `(height, width, channels)` that it must have.

    Raises:
        ValueError: if it is no image, damaged, or of another size or number of channels.
    """
    from PIL import Image, ImageOps

    from sparsevae.data.own.pictures import is_deep, upright_size

    height, width, channels = image_shape
    is_path = isinstance(file, (str, Path))
    name = file if is_path else "image"
    try:
        with (
            open(file, "rb") if is_path else contextlib.nullcontext(file) as stream,
            Image.open(stream) as image,  # reads the header only: a bomb is refused by its size
        ):
            deep, size = is_deep(image), upright_size(image)
            if size != (width, height) or image.mode not in _MODES.get(channels, ()) or deep:
                raise ValueError(
                    f"{name} must be {width} x {height} pixels of mode "
                    f"{' or '.join(_MODES.get(channels, ('none',)))}, 8 bits a channel. Received: "
                    f"{size[0]} x {size[1]}, mode {image.mode}{', more bits' if deep else ''}"
                )
            image = ImageOps.exif_transpose(image)
            pixels = np.asarray(image.convert(_MODES[channels][0]))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} is not a whole image file ({error})") from error
    return pixels.reshape(image_shape)
