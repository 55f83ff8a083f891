from io import StringIO

import pytest
from Bio import SeqIO

from helpers_design import design_row
from protscribe.errors import InputError
from protscribe.evaluation.design.tables import design_id, design_seed, read_designs, write_fasta
from protscribe.tables import write_table


def write(path, *rows):
    write_table(path, "designs", rows)
    return path


def test_fasta_that_others_read(tmp_path, capsys):
    rows = [
        design_row("location:cell membrane", 2, "M" + "ACDEFGHIKL" * 9),
        design_row("location:cell membrane", 10, "MK", finish_reason="length", training_seed=3),
        design_row("location:cell membrane", 3, ""),
    ]
    path = tmp_path / "designs.fasta"
    write_fasta(write(tmp_path / "designs.parquet", *rows), path)
    text = path.read_text()
    records = list(SeqIO.parse(StringIO(text), "fasta"))
    assert [record.id for record in records] == [
        "writer|0|location:cell_membrane:0002",
        "writer|3|location:cell_membrane:0010",
    ]
    assert str(records[0].seq) == rows[0]["sequence"]
    assert max(len(line) for line in text.splitlines() if line[0] != ">") == 60
    assert records[1].description.endswith(
        'request="location:cell membrane" relation=keyword length=2 finish=length seed=10'
    )
    assert "2 of 3 designs have residues" in capsys.readouterr().err


def test_ids_sort_by_number_and_seeds_are_their_own():
    assert design_id("KW:A", 12) == "KW:A:0012"
    seeds = {design_seed(0, t, r, n) for t in (0, 1) for r in ("a", "b") for n in (1, 2)}
    assert len(seeds) == 8


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            design_row("A", 1, "MK", finish_reason="stop"),
            "ended by 'stop'; allowed: closed, length",
        ),
        (design_row("A", 1, "MK", finish_reason="empty"), "has 2 residues and ended by 'empty'"),
        (design_row("A", 1, "", finish_reason="closed"), "has 0 residues and ended by 'closed'"),
        (design_row("A", 1, "MK") | {"sequence": None}, "lacks its sequence or request"),
    ],
)
def test_designs_that_cannot_be(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read_designs([write(tmp_path / "d.parquet", row)])


def test_two_files_of_one_system(tmp_path):
    one = write(tmp_path / "a.parquet", design_row("A", 1, "MK"))
    other = write(tmp_path / "b.parquet", design_row("A", 1, "MK", training_seed=1))
    assert len(read_designs([one, other])) == 2
    with pytest.raises(InputError, match="design A:0001 of writer is also in"):
        read_designs([one, one])
    assert read_designs([]) == []
