"""The fast reader of regular arrays takes what a parser of any JSON takes, and gives the same."""

import json
import re

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparsevae.export.server import regular_json

NO_NUMBERS = [
    "01",
    "-01",
    "00",
    "+1",
    "-+1",
    "--1",
    "-",
    ".5",
    "-.5",
    "1.",
    "1.e5",
    ".",
    "1..5",
    "1.5.5",
    "1e",
    "1e+",
    "1e+-5",
    "1e5.5",
    "1e5e5",
    "e5",
    "E",
    "0x1",
    "0b1",
    "1_0",
    "1f",
    "1j",
    "NaN",
    "nan",
    "-NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "1e999",
    "-1e999",
    "9" * 400,
    "1 2",
    "- 1",
    "1 .5",
    "1. 5",
    "1e 5",
    "1\v",
    "\f1",
    "1\0",
    "\xa01",
    "1\u2003",
]
NUMBERS = [
    "0",
    "-0",
    "-0.0",
    "0.5",
    "10",
    "1e5",
    "1E5",
    "1e+05",
    "1e-05",
    "1.25E-3",
    "0e0",
    "4.9e-324",
    "1e-999",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "0.1000000000000000055511151231",
    " 1",
    "1 ",
    "\t1\r\n",
    "9" * 300,
]


def same(body, shape):
    """What the fast reader makes of a body: True for an array, if a strict parser agrees."""
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(ValueError, match="must be JSON"):
            regular_json.loads(body, shape)
        return False
    found = regular_json.loads(body, shape)
    arrays = [v for v in found.values() if is_array(v)] if isinstance(found, dict) else []
    for array in arrays:  # -0.0 is not 0.0
        assert array.dtype == np.float64 and array.shape[1:] == shape
    assert repr(listed(found)) == repr(floats(expected) if arrays else expected)
    return bool(arrays)


def is_array(value):
    return isinstance(value, np.ndarray)


def listed(value):
    if isinstance(value, dict):
        return {key: v.tolist() if is_array(v) else v for key, v in value.items()}
    return value


def floats(value):
    """The lists of an object with floats for integers; as in an array."""
    return {
        key: np.array(v, np.float64).tolist() if isinstance(v, list) else v
        for key, v in value.items()
    }


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("where", range(4))
def test_what_is_no_number_is_refused_wherever_it_stands(number, where):
    numbers = ["0.5"] * 4
    numbers[where] = number
    text = "[[{},{}],[{},{}]]".format(*numbers)
    assert not same(f'{{"instances": [{text}]}}'.encode(), (2, 2))
    assert not same(f'{{"instances": {text}}}'.encode(), (2,))
    assert not same(f'{{"instances": [{number}]}}'.encode(), (1,))


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_read_exactly(number):
    assert same(f'{{"instances": [[[{number},0.5],[7,{number}]]]}}'.encode(), (2, 2))


@pytest.mark.parametrize(
    "array",
    [
        "[[[[0.5]5,[0.7]]]]",
        "[[[[0.5],5[0.7]]]]",
        "[[[[0.5]],[[0.7]]]5]",
        "5[[[[0.5],[0.7]]]]",
        "[[[[]0.5,[0.7]]]]",
        "[[[[ ] 0.5,[0.7]]]]",
        "[[[[0.5],0.7[]]]]",
        "[[[0.5[],[0.7]]]]",
        "[[[[0.5],[0.7]]]0.9]",
        "[[[[0.5][0.7]]]]",
        "[[[[0.5] [0.7]]]]",
        "[[[[0.5],,[0.7]]]]",
        "[[[[0.5],[,0.7]]]]",
        "[[[[0.5,],[0.7]]]]",
        "[[[[0.5],[0.7],]]]",
        "[,[[[0.5],[0.7]]]]",
        "[[[[0.5],[]]]]",
        "[[[[0.5],[ ]]]]",
        "[[[[0.5],[0.7]]]",
        "[[[[0.5],[0.7]]]]]",
        "[[[[0.5],[0.7]]]]0",
        "[[[[0.5],[0.7\x00]]]]",
        "[[[[0.5],\x0b[0.7]]]]",
        "[[[[0.5],\x0c[0.7]]]]",
        "[[[[0.5],\u00a0[0.7]]]]",
        "[[[[0.5],[0.7 0]]]]",
        "[[[[0.5],[0\t.7]]]]",
        "",
    ],
)
def test_brackets_and_commas_stand_where_json_has_them(array):
    assert same(b'{"instances": [[[[0.5],[0.7]]]]}', (1, 2, 1))
    assert not same(f'{{"instances": {array}}}'.encode(), (1, 2, 1))
    assert not same(f'{{"instances": {array}}}'.encode(), (2, 1))


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": null, "x": "[[1]]"}',
        '{"instances": null, "x": {"y": [[1]]}}',
        '{"instances": [[1]], "instances": null}',
        '{"[[1]]": null}',
        "{[[1]]: null}",
        '{"x": "\\[[1]]"}',
        '{"x": "\\\\[[1]]"}',
        '{"instances": "\\u005b\\u005d", "x": "[[1]]"}',
        '{"instances": 1[[1]]}',
        '{"instances": [[1]]1}',
        '{"instances": nul[[1]]}',
        '{"instances" [[1]]}',
        '{"instances": [[1]],}',
        '{"instances": [[1]]}}',
        '{"instances": [[1]]} {}',
        '\ufeff{"instances": [[1]]}',
        '\xa0{"instances": [[1]]}',
        "[[1]]",
        '"[[1]]"',
    ],
)
def test_what_stands_around_the_array(body):
    assert not same(body.encode(), (1,))


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": null, "instances": [[1]]}',
        ' \r\n\t{"x": "\\u00e9\\"", "y": {"z": null}, "instances" : [[1]] , "n": null}\n',
    ],
)
def test_what_may_stand_around_the_array(body):
    assert same(body.encode(), (1,))


@pytest.mark.parametrize("indent", [None, 0, 3])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", " :\t")])
def test_whitespace_does_not_make_it_slow(indent, separators):
    array = np.random.default_rng(0).normal(size=(70, 40, 60, 3))  # more than one piece
    body = json.dumps({"instances": array.tolist()}, indent=indent, separators=separators)
    found = regular_json.loads(bytearray(body.encode()), array.shape[1:])
    np.testing.assert_array_equal(found["instances"], array)
    assert isinstance(found["instances"], np.ndarray)


@pytest.mark.parametrize("wrong", ["", "[1]", "1 1", "01", "1,1"])
@pytest.mark.parametrize("where", [0, 20_000, 99_999])
def test_one_wrong_number_among_many(wrong, where):
    """Also where one piece of a long text ends and the next begins."""
    numbers = ["0.123456789"] * 100_000
    numbers[where] = wrong
    assert not same(f'{{"instances": [[{",".join(numbers)}]]}}'.encode(), (100_000,))


SHAPES = st.sampled_from([(1,), (2,), (1, 1), (2, 2), (1, 2, 1), (2, 1, 2)])
BYTES = st.sampled_from([bytes([c]) for c in b'[],.-+0159eE{}:"\\ \n\t\x0b\x0cnN_x']) | st.binary(
    min_size=1, max_size=2
)


@st.composite
def mutants(draw):
    """A body that is valid but for some characters left out, put in, or replaced; and its shape."""
    shape = draw(SHAPES)
    numbers = st.sampled_from(NUMBERS) | st.floats(0, 1).map(repr) | st.integers().map(str)
    texts = [draw(numbers) for _ in range(draw(st.integers(1, 2)) * int(np.prod(shape)))]
    for size in reversed(shape):
        texts = [f"[{','.join(texts[k : k + size])}]" for k in range(0, len(texts), size)]
    array = f"[{','.join(texts)}]"
    if draw(st.booleans()):
        array = re.sub(r"([\[\],])", draw(st.sampled_from([r"\1 ", r" \1", "\n\\1\t"])), array)
    start = draw(
        st.sampled_from(['{"instances": ', '{"n":null, "a":', '{"s":"\\t", "inputs":', ""])
    )
    body = (
        start + array + draw(st.sampled_from(["}", ', "b": null}', ', "n": "x"}', ""]))
    ).encode()
    for _ in range(draw(st.integers(0, 3))):
        at, n = draw(st.integers(0, len(body))), draw(st.integers(0, 2))
        body = body[:at] + (draw(BYTES) if draw(st.booleans()) else b"") + body[at + n :]
    return body, shape


def quietly(n):
    return settings(max_examples=n, deadline=None, derandomize=True, database=None)


@quietly(1500)
@given(mutants())
@example((b'{"instances": [[[[0.5]5,[0.7]]]]}', (1, 2, 1)))
def test_it_takes_what_a_strict_parser_takes(mutant):
    same(*mutant)


@pytest.mark.slow
@quietly(50_000)
@given(mutants())
def test_it_takes_what_a_strict_parser_takes_at_length(mutant):
    same(*mutant)
