import io

import pytest

from protscribe.errors import InputError
from protscribe.sources.formats.delimited import cut

HEADER = "Entry\tSequence\tFunction [CC]\n"


def read(text, size=2**20):
    data = text if isinstance(text, bytes) else text.encode()
    return [row for rows in cut(io.BytesIO(data), "x.tsv", size) for row in rows.rows]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|"])
def test_delimiters_line_ends_and_marks(ends, mark, delimiter):
    lines = ["Entry", "Sequence", "text"], ["P1", "MKV", "a b"], ["P2", "MKT", ""]
    text = mark + "".join(delimiter.join(line) + ends for line in lines)
    assert read(text) == [list(line) for line in lines[1:]]


def test_quoted_fields():
    text = 'text,Entry,Sequence\n"a, ""b""\nc",P1,MKV\nsays "x",P2,MKT\n'
    assert read(text) == [['a, "b"\nc', "P1", "MKV"], ['says "x"', "P2", "MKT"]]


def test_big_fields():
    assert read(HEADER + f"P1\t{'M' * 300_000}\tx\n")[0][1] == "M" * 300_000


@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_pieces_keep_all_rows_in_order(size):
    text = HEADER + "".join(f"P{i}\tMKV\tx\n" for i in range(50))
    assert [row[0] for row in read(text, size)] == [f"P{i}" for i in range(50)]


def test_the_last_line_may_have_no_end():
    assert read(HEADER + "P1\tMKV\tx") == [["P1", "MKV", "x"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Entry\tLength\n", "no column for the function.*columns found: Entry, Length"),
        ("Entry\tSequence\tNote\n", "no column for the function"),
        ("Entry\tSequence\ttext\tFunction [CC]\n", "more than one column for the function"),
        ("Entry\tSequence\ttext\tGO\tGO\n", "more than one column for the go; leave one"),
        (HEADER + "P1\tMKV", "truncated: its last line has 2 of 3 columns"),
        ((HEADER + "P1\tMKV\tx\nP2\tMKV\t\u00fcber\n").encode("cp1252"), "line 3: not UTF-8"),
        (HEADER + 'P1\tMKV\t"x\nP2\tMKV\ty\n', "line 3: unexpected end of data"),
        (HEADER + 'P1\tMKV\t"x"y\n', "line 2: .*expected after"),
    ],
)
def test_bad_tables(text, message):
    with pytest.raises(InputError, match=rf"x\.tsv: .*{message}"):
        read(text)
