import json

import pytest
import torch

from protscribe.errors import InputError
from protscribe.models.tensors import check_tensors, read_tensors, write_tensors


def test_tensors_carry_one_metadata_entry(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, {"k": 1, "b": 2})
    header = (tmp_path / "x.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert list(json.loads(header[8 : 8 + size])["__metadata__"]) == ["protscribe"]
    assert read_tensors(tmp_path / "x.safetensors")[1] == {"k": 1, "b": 2}


def test_equal_tensors_give_equal_bytes(tmp_path):
    tensors = {"b": torch.ones(2, 3).T, "a": torch.zeros(1)}
    write_tensors(tmp_path / "x", tensors)
    write_tensors(tmp_path / "y", dict(reversed(tensors.items())))
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_a_file_cut_short_is_an_error(tmp_path):
    write_tensors(tmp_path / "x", {"a": torch.zeros(100)})
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-50])
    with pytest.raises(InputError, match="x: not a whole safetensors file"):
        read_tensors(tmp_path / "x")
    with pytest.raises(InputError, match="y: no such file"):
        read_tensors(tmp_path / "y")


def test_differences_are_named():
    wanted = {"a": torch.zeros(2), "b": torch.zeros(1)}
    check_tensors("f", wanted, wanted)
    with pytest.raises(InputError, match="f: lacks b"):
        check_tensors("f", {"a": torch.zeros(2)}, wanted)
    with pytest.raises(InputError, match="f: holds c"):
        check_tensors("f", wanted | {"c": torch.zeros(1)}, wanted)
    with pytest.raises(InputError, match=r"f: a has shape \(3,\)"):
        check_tensors("f", wanted | {"a": torch.zeros(3)}, wanted)
