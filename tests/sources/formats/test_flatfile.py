import io

import pytest

from flat_entries import entry
from protscribe.errors import InputError
from protscribe.sources.formats.flatfile import cut, split_entries

ONE = entry("P11111", "M" * 40, "Binds zinc")
TWO = ONE + entry("P22222", "M" * 40, "Binds iron")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "  \n"])
def test_entries_come_out_whole(ends):
    entries = split_entries(TWO.replace("\n", ends), "x.dat")
    assert "".join(entries) == TWO
    assert [e.splitlines()[-1] for e in entries] == ["//", "//"]


def test_blank_lines_and_a_second_end_between_entries_are_ignored():
    text = "\n" + TWO.replace("//\n", "//\n\n//\n")
    assert "".join(split_entries(text, "x.dat")) == TWO


def test_the_last_line_may_have_no_end():
    assert "".join(split_entries(TWO.rstrip(), "x.dat")) == TWO


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        (TWO[:-40], "truncated: entry P22222_TEST"),
        (TWO[: len(TWO) // 2 + 12], "truncated"),
    ],
)
def test_text_that_is_not_whole_entries(text, message):
    with pytest.raises(InputError, match=rf"x\.dat: .*{message}"):
        split_entries(text, "x.dat")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 3000])
def test_pieces_are_whole_entries_and_nothing_is_lost(ends, size):
    text = (TWO * 1500).replace("\n", ends).encode()  # more than one block is read
    pieces = list(cut(io.BytesIO(text), "x.dat", size))
    assert b"".join(pieces) == text
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.startswith(b"ID   ") and piece.endswith(b"//" + ends.encode())


def test_an_entry_larger_than_a_block():
    big = entry("P33333", "M" * 40, "Binds zinc").replace("Binds", "Binds " * 400_000)
    text = (ONE + big + ONE).encode()
    pieces = list(cut(io.BytesIO(text), "x.dat", 1000))
    assert b"".join(pieces) == text
    assert sum(len(split_entries(piece.decode(), "x.dat")) for piece in pieces) == 3
