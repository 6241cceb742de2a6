"""Base64 of PNG files as clients write it: wrapped, without padding, in either alphabet."""

import base64
import io
import re
import textwrap

import httpx
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sparsevae.export.server.base64_text import decode
from sparsevae.export.server.contract import Contract, parse

CONTRACT = Contract("small", (4, 4, 1), 2)


def png(image, size=0):
    """A PNG file, its length raised to `3 k + size` by a comment."""
    file, n = io.BytesIO(), 0
    while not n or len(file.getvalue()) % 3 != size:
        file, info = io.BytesIO(), PngInfo()
        info.add_text("Comment", "~?" * 40 + "x" * n)  # gives + and / in base64
        Image.fromarray(image[:, :, 0]).save(file, "png", pnginfo=info)
        n += 1
    return file.getvalue()


def asked(*texts):
    instances = [{"b64": text} for text in texts]
    return orjson.dumps({"signature_name": "encode_png", "instances": instances})


STYLES = {
    "lines of 76": lambda text: "\n".join(textwrap.wrap(text, 76)) + "\n",
    "lines of MIME": lambda text: "\r\n".join(textwrap.wrap(text, 64)),
    "indented": lambda text: textwrap.indent("\n".join(textwrap.wrap(text, 10)), "\t  "),
    "a letter a line": "\n".join,
    "every white space": lambda text: " \t\n\r\v\f".join(text),
    "no padding": lambda text: text.rstrip("="),
    "no padding, lines": lambda text: "\n".join(textwrap.wrap(text.rstrip("="), 76)) + "\n",
    "URL-safe": lambda text: text.replace("+", "-").replace("/", "_"),
    "URL-safe, no padding": lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
}


@pytest.mark.parametrize("size", range(3))
@pytest.mark.parametrize("style", STYLES)
def test_styles(expected, style, size):
    files = [png(image, size) for image in expected["images"]]
    texts = [base64.b64encode(file).decode() for file in files]
    assert {"+", "/"} < set("".join(texts)) and texts[0].count("=") == (3 - size) % 3
    array = parse(asked(*map(STYLES[style], texts)), CONTRACT).array
    np.testing.assert_array_equal(array, expected["images"])


def test_a_request(address, expected):
    text = base64.encodebytes(png(expected["images"][0])).decode()
    assert "\n" in text[:-1]
    answer = httpx.post(f"{address}:predict", content=asked(text)).json()
    codes = answer["predictions"][0]["codes"]
    np.testing.assert_allclose(codes, expected["codes"][0], atol=1e-5)


WRONG = {
    "?": ("aGk?", "'?'"),
    "tilde": ("aGk~" * 100, "'~'"),
    "umlaut": ("aGkä", "'ä'"),
    "wide digit": ("aGk\uff11", "'\uff11'"),
    "surrogate pair": ("aGk\U0001f600", "'😀'"),
    "no-break space": ("aG\xa0k", r"'\xa0'"),
    "NUL": ("aGk\0", r"'\x00'"),
    "data URL": ("data:image/png;base64,aGk=", "':'"),
    "quotes": ("b'aGk='", '"\'"'),
    "padding within": ("aGk=aGk=", "padding"),
    "padding first": ("=aGk", "padding"),
    "padding alone": ("====", "padding"),
    "too much padding": ("aGk==", "padding"),
    "far too much padding": ("aGkh====", "padding"),
    "too little padding": ("aA=", "padding"),
    "padding without need": ("aGkh=", "padding"),
    "one letter": ("a", "cut off"),
    "one letter more": ("aGkhb", "cut off"),
    "one letter padded": ("a===", "padding"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("by_row", [True, False])
def test_what_is_no_base64(name, expected, by_row):
    text, found = WRONG[name]
    good = base64.b64encode(png(expected["images"][0])).decode()
    body = orjson.loads(asked(good, good, text, good))
    if not by_row:
        body["inputs"] = {"png": body.pop("instances")}
    with pytest.raises(ValueError) as error:
        parse(orjson.dumps(body), CONTRACT)
    message = str(error.value)
    assert message.startswith("`b64` of instance 2 must be base64. Received: ")
    assert found in message and "\n" not in message and len(message) < 120


def test_nothing_is_no_image():
    for text in ("", "\n"):
        with pytest.raises(ValueError, match="Instance 0"):
            parse(asked(text), CONTRACT)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(
    st.binary(max_size=40),
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("\n =-+é")), max_size=3),
)
def test_it_decodes_or_says_why(content, put_in):
    """What it takes, it takes as the content it is: whatever was put in has no other meaning."""
    text = base64.b64encode(content).decode()
    for at, character in put_in:
        text = text[:at] + character + text[at:]
    try:
        found = decode(text)
    except ValueError:
        return
    plain = re.sub(r"[\s=]", "", text).replace("-", "+").replace("_", "/")
    assert len(found) == len(plain) * 3 // 4
    again = base64.b64encode(found).decode().rstrip("=")
    assert again[:-1] == plain[: len(again)][:-1]  # the last letter may hold bits of no byte
