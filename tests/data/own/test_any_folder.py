"""Any folder: the right pictures in the right order, or one line that says why not.

The default run draws few; `-m slow` draws thousands.
"""

import contextlib
import os
import re
import sys

import pytest
from any_folder import GREY, File, folders, fuzz, loaded, persons, place, write
from hypothesis import event
from hypothesis import strategies as st

from sparsevae.commands import console

FOLDERS = {
    "files": folders(),
    "image_size": st.sampled_from([None, None, 16, 32]),
    "called": st.sampled_from(["photos", "a b", "é", "e\u0301", "x.npy", "\udce9", "a\nb", "y."]),
    "junk": st.lists(
        st.sampled_from(
            ["c.gif", "d.HEIC", "b/c.gif", ".DS_Store", "Thumbs.db", "a.txt", ".j.gif", "f.csv"]
        ),
        unique=True,
    ),
    "links": st.lists(
        st.tuples(
            st.sampled_from(["l.png", "m.png", "m", "b/up", ".n.png", "z"]),
            st.sampled_from(["gone.png", ".", "..", "first", "a", "b"]),
        ),
        max_size=2,
        unique_by=lambda link: link[0],
    ),
}


def every_picture_is_right_or_the_folder_refused(files, image_size, called, junk, links):
    with place() as root:
        folder = root / "in" / called
        folder.mkdir(parents=True)
        write(folder, files)
        for name in junk:
            with contextlib.suppress(OSError):  # a file may be where its folder should be
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).touch(exist_ok=False)
        for name, target in links:
            with contextlib.suppress(OSError):
                to = folder / (files[0].path if files and target == "first" else target)
                (folder / name).symlink_to(to)
        data, said = loaded(folder, image_size=image_size)
        pictures, n_other, broken = expected(folder, files)
        if broken or data is None:
            assert data is None
            event("refused")
            if any(oneline(path) in said for path in broken):
                return
            assert not broken
            reasons(said, pictures, image_size)
            return
        event("loaded")
        assert not [file for _, _, file in pictures if file.whole is False]
        assert persons(data) == [who for _, who, _ in pictures]
        assert (data.image_shape[2] == 1) == all(file.mode in GREY for _, _, file in pictures)
        assert (
            sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) are skip", str(said)))
            == n_other
        )


def expected(folder, files):
    """Path, person and `File` of each picture, in order; how many others must be told of; links
    that lead nowhere."""
    by_place = {os.path.realpath(folder / f.path): (k, f) for k, f in enumerate(files)}
    pictures, others, broken, done = [], 0, [], set()

    def look(inside):
        nonlocal others
        real = os.path.realpath(folder / inside)
        if real in done:
            return
        done.add(real)
        names = sorted(os.listdir(folder / inside))
        for name in names:
            path = f"{inside}/{name}" if inside else name
            if name[0] == "." or (folder / path).is_dir():
                continue
            if os.path.realpath(folder / path) in by_place:
                who, file = by_place[os.path.realpath(folder / path)]
                pictures.append((path, who, file))
            others += name.lower().endswith((".gif", ".heic"))
            if not (folder / path).exists():
                broken.append(path)
        for name in names:
            path = f"{inside}/{name}" if inside else name
            if name[0] != "." and (folder / path).is_dir():
                look(path)

    look("")
    # What is linked without the ending of a picture is none.
    known = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".webp", ".pgm", ".ppm")
    pictures = [p for p in pictures if p[0].lower().endswith(known)]
    return sorted(pictures), others, broken


def oneline(path):
    """A path as messages show it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)


def reasons(said, pictures, image_size):
    """Asserts that there is a reason to refuse these pictures, and that it is named."""
    if not pictures:
        assert "holds no images" in said
        return
    bad = [path for path, _, file in pictures if file.whole is not True]
    sizes = {file.size for _, _, file in pictures}
    if image_size is None and len(sizes) > 1 and "`image_size` must be given" in said:
        return
    assert any(oneline(path) in said for path in bad), said


@fuzz(60, FOLDERS)
def test_folders(files, image_size, called, junk, links):
    every_picture_is_right_or_the_folder_refused(files, image_size, called, junk, links)


@pytest.mark.slow
@fuzz(3000, FOLDERS)
def test_many_folders(files, image_size, called, junk, links):
    every_picture_is_right_or_the_folder_refused(files, image_size, called, junk, links)


# From the command line

TRAIN = ("train", "--name", "a", "--n-steps", "1", "--data", "./x")
BAD = {
    "cut": File("cut.png", "cut"),
    "sizes": File("large.png", size=(32, 32)),
    "text": File("text.png", "text"),
}


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("cut", ("data", "describe", "./x"), ["x/cut.png is damaged"]),
        ("sizes", ("data", "describe", "./x"), ["`image_size` must be given", "large.png"]),
        ("text", TRAIN, ["x/text.png is damaged"]),
        ("sizes", (*TRAIN, "--factors", "f.csv", "--image-size", "16"), ["`factors`", "'z.png'"]),
    ],
)
def test_commands_end_in_one_line(tmp_path, monkeypatch, capsys, kind, arguments, words):
    write(tmp_path / "x", [File("a.png"), BAD[kind]])
    (tmp_path / "f.csv").write_text("file,v\na.png,1\nz.png,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sparsevae", *arguments])
    with pytest.raises(SystemExit) as stop:
        console.main()
    said = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert stop.value.code == 1 and len(said) == 1 and said[0].startswith("Error: ")
    assert all(word in said[0] for word in words)
