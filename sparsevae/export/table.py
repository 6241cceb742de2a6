"""The codes of a folder of images as a table in a file."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.checks import check_choice, check_integer
from sparsevae.export.encoder import load
from sparsevae.export.inputs import image_files
from sparsevae.records import atomic_file

SUFFIXES = (".parquet", ".csv", ".npy")


def encode_folder(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    batch_size: int = 512,
    image_size: int | None = None,
) -> tuple[int, int]:
    """Encodes every image file of a folder and writes the codes, one row an image.

    Args:
        model: Folder of `export.save`.
        images: Folder of image files, searched as by `inputs.image_files`.
        out: File to write. `.parquet` and `.csv` have the column `file`, the path inside the
            folder, and one column a latent; `.npy` holds the float32 codes alone, in sorted order.
        batch_size: Images per call of the model.
        image_size: Height and width of the model's images, to which those of the folder are cut
            and resized, as in training on one's own images. None: they must have it.

    Returns:
        Number of images, and of latents.

    Raises:
        DataFileError: if the folder holds no images.
        FileNotFoundError: if a folder is absent or is no export.
        ValueError: if `out` has another suffix, the export is damaged, or an image does not fit.
    """
    out = Path(out)
    check_choice("out", out.suffix, SUFFIXES)
    encoder = load(model, batch_size)
    files = image_files(images)
    if image_size is None:
        codes = encoder.encode(images)
    else:
        codes = np.concatenate(
            [encoder.encode(part) for part in _fitted(files, encoder, image_size)]
        )
    with atomic_file(out) as temporary:
        if out.suffix == ".npy":
            np.save(temporary, codes)
            return codes.shape
        import pandas as pd

        table = pd.DataFrame(codes, columns=encoder.get_feature_names_out())
        names = [path.relative_to(images).as_posix() for path in files]
        table.insert(0, "file", names)
        if out.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)
    return codes.shape


def _fitted(files, encoder, image_size):
    """The images brought to the model's size, a batch at a time."""
    from sparsevae.data.own.pictures import decoded

    shape = encoder.image_shape
    image_size = check_integer("image_size", image_size, minimum=1)
    if shape[:2] != (image_size, image_size):
        raise ValueError(
            f"`image_size` must be that of the model, {shape[0]} x {shape[1]}. "
            f"Received: image_size={image_size}"
        )
    starts = range(0, len(files), encoder.batch_size)
    for start in tqdm(starts, desc="Encoding", unit=" batches", delay=2):
        part = files[start : start + encoder.batch_size]
        yield np.stack([decoded(file, shape) for file in part])
