"""A folder of images becomes a table of codes."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sparsevae.data import load
from sparsevae.export.table import encode_folder


@pytest.fixture
def pictures(images, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for k, name in enumerate(["a.png", "below/b.png", "c.png"]):
        Image.fromarray(images[k, :, :, 0]).save(folder / name)
    return folder


@pytest.mark.parametrize(("suffix", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_name_the_files(folder, encoder, images, pictures, tmp_path, suffix, read):
    out = tmp_path / f"codes.{suffix}"
    assert encode_folder(folder, str(pictures), out, batch_size=2) == (3, 4)
    table = read(out)
    assert table["file"].tolist() == ["a.png", "below/b.png", "c.png"]
    assert table.columns.tolist() == ["file", *(f"latent_{k}" for k in range(4))]
    np.testing.assert_allclose(table.iloc[:, 1:], encoder.encode(images[:3]), atol=1e-6)


def test_npy_holds_the_codes_alone(folder, encoder, images, pictures, tmp_path):
    encode_folder(folder, pictures, tmp_path / "codes.npy")
    codes = np.load(tmp_path / "codes.npy")
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, encoder.encode(images[:3]), atol=1e-6)


def test_other_suffixes_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"`out` must be one of '\.parquet', '\.csv', '\.npy'"):
        encode_folder(tmp_path / "absent", tmp_path / "absent", tmp_path / "codes.txt")


def test_a_bad_image_leaves_no_table(folder, pictures, tmp_path):
    (pictures / "d.png").write_text("no image")
    with pytest.raises(ValueError, match=r"d\.png is not a whole image"):
        encode_folder(folder, pictures, tmp_path / "codes.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_images_of_another_size_are_brought_to_the_models(folder, encoder, pictures, tmp_path):
    for path in pictures.rglob("*.png"):
        with Image.open(path) as image:
            image.resize((48, 32), Image.Resampling.NEAREST).convert("RGB").save(path)
    with pytest.raises(ValueError, match="must be 16 x 16 pixels"):
        encode_folder(folder, pictures, tmp_path / "codes.npy")
    with pytest.raises(ValueError, match="`image_size` must be that of the model, 16 x 16"):
        encode_folder(folder, pictures, tmp_path / "codes.npy", image_size=32)
    assert encode_folder(folder, pictures, tmp_path / "codes.npy", image_size=16) == (3, 4)
    expected = encoder.encode(load(pictures, image_size=16).images(np.arange(3))[..., :1])
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), expected, atol=0.05)
