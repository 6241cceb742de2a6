"""Any array in a file: the right images in the right order, or one line that says why not.

The default run draws few; `-m slow` draws thousands.
"""

import numpy as np
import pytest
from any_folder import drawing, fuzz, loaded, persons, place
from hypothesis import event
from hypothesis import strategies as st

LAYOUTS = {
    "grey": lambda pixels: pixels,
    "one channel": lambda pixels: pixels[..., None],
    "colour": lambda pixels: np.stack([pixels] * 3, axis=-1),
    "channels first": lambda pixels: np.stack([pixels] * 3, axis=1),
    "four channels": lambda pixels: np.stack([pixels] * 4, axis=-1),
    "one image": lambda pixels: pixels[0],
    "no image": lambda pixels: pixels[:0],
}
DTYPES = {  # of pixels that are True and False
    "bytes": lambda pixels: np.where(pixels, 240, 10).astype(np.uint8),
    "booleans": lambda pixels: pixels,
    "floats": lambda pixels: pixels.astype(np.float32) * 0.9,
    "halves": lambda pixels: pixels.astype(np.float16),
    "big-endian": lambda pixels: pixels.astype(">f8"),
    "bytes 0 and 1": lambda pixels: pixels.astype(np.uint8),
    "floats to 255": lambda pixels: pixels * 255.0,
    "NaN": lambda pixels: np.where(pixels, np.nan, 0.5),
    "16 bits": lambda pixels: pixels.astype(np.uint16) * 65535,
    "integers": lambda pixels: pixels * 255,
    "complex": lambda pixels: pixels * 1j,
    "objects": lambda pixels: pixels.astype(object),
    "words": lambda pixels: pixels.astype(str),
}
DAMAGES = {
    "none": lambda content: content,
    "cut": lambda content: content[:-30],
    "cut in its header": lambda content: content[:50],
    "empty": lambda content: b"",
    "text": lambda content: b"<html>not found</html>",
    "longer": lambda content: content + b"0",
}
ARRAYS = {
    "n": st.integers(1, 9),
    "layout": st.sampled_from([*["grey", "one channel", "colour"] * 3, *LAYOUTS]),
    "dtype": st.sampled_from([*list(DTYPES)[:5] * 3, *DTYPES]),
    "fortran": st.sampled_from([False, False, False, True]),
    "suffix": st.sampled_from([".npy", ".npz", "compressed.npz", "two.npz"]),
    "damage": st.sampled_from(["none"] * 5 + list(DAMAGES)),
    "image_size": st.sampled_from([None, 8, 16]),
}


def every_array_is_right_or_refused(n, layout, dtype, fortran, suffix, damage, image_size):
    pixels = np.stack([drawing(who, (16, 16)) for who in range(n)])
    images = np.asarray(LAYOUTS[layout](DTYPES[dtype](pixels)), order="F" if fortran else "C")
    with place() as root:
        path = root / f"mine{suffix}"
        if suffix == ".npy":
            np.save(path, images)
        else:
            others = {"labels": np.arange(n), "odd": np.array({}, dtype=object)}
            others |= {"again": images} if suffix == "two.npz" else {}
            write = np.savez_compressed if suffix == "compressed.npz" else np.savez
            write(path, pictures=images, **others)
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        data, said = loaded(path, image_size=image_size)
        good = layout in list(LAYOUTS)[:3] and dtype in list(DTYPES)[:5] and suffix != "two.npz"
        fortran = fortran and not images.flags.c_contiguous
        if data is None:
            event("refused")
            assert path.name in said
            assert not good or fortran or damage != "none", said
            return
        event("loaded")
        assert good and not fortran and (damage == "none" or suffix != ".npy")
        assert persons(data) == list(range(n))


@fuzz(30, ARRAYS)
def test_arrays(**drawn):
    every_array_is_right_or_refused(**drawn)


@pytest.mark.slow
@fuzz(2000, ARRAYS)
def test_many_arrays(**drawn):
    every_array_is_right_or_refused(**drawn)
