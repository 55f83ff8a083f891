import ast
import shutil

import pytest

from conftest import HOUSE
from protscribe import provenance
from protscribe.provenance import code_hash, package_versions, state_folder, strip_docstrings

SCRIPTS = sorted((HOUSE / "workflow_scripts").glob("*.py"))


def normal(text):
    return ast.dump(strip_docstrings(ast.parse(text)))


def test_comments_docstrings_and_layout_do_not_count():
    one = 'def f(a):\n    """Old."""\n    return a + 1\n'
    two = '# New.\ndef f(a):\n    """New."""\n\n    return (a +\n        1)  # why\n'
    assert normal(one) == normal(two)
    assert normal(one) != normal(one.replace("1", "2"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_has_a_hash(script):
    assert len(code_hash(script)) == 64


def test_only_what_a_script_reaches_counts(tmp_path, monkeypatch):
    house = tmp_path / "copy"
    shutil.copytree(HOUSE / "protscribe", house / "protscribe")
    monkeypatch.setattr(provenance, "__file__", str(house / "protscribe" / "provenance.py"))

    def hashes():
        provenance._module_text.cache_clear()
        folder = HOUSE / "workflow_scripts"
        return {name: code_hash(folder / f"{name}.py") for name in ("assign_folds", "predict")}

    before = hashes()
    split = house / "protscribe" / "homology" / "split.py"
    split.write_text("# A comment.\n" + split.read_text())
    assert hashes() == before
    split.write_text(split.read_text() + "\nADDED = 1\n")
    after = hashes()
    assert after["assign_folds"] != before["assign_folds"]
    assert after["predict"] == before["predict"]
    errors = house / "protscribe" / "errors.py"
    errors.write_text(errors.read_text() + "\nADDED = 1\n")
    assert hashes()["predict"] != before["predict"]
    provenance._module_text.cache_clear()


def test_programs_that_a_script_starts_count():
    script = HOUSE / "workflow_scripts" / "align.py"
    worker = "protscribe.training.worker"
    assert code_hash(script) != code_hash(script, worker)
    other = "protscribe.training.objectives.instruction"
    assert code_hash(script, worker) != code_hash(script, worker, without=[other])


def test_versions_are_recorded():
    versions = package_versions(["numpy", "no-such-package"])
    assert versions["numpy"][0].isdigit()
    assert versions["no-such-package"] == "not installed"


def test_state_belongs_to_the_same_work(tmp_path):
    data = tmp_path / "a"
    data.write_text("1")
    one = state_folder(tmp_path, "tune", [str(data)], {"rank": 8})
    assert one == state_folder(tmp_path, "tune", [str(data)], {"rank": 8})
    assert one != state_folder(tmp_path, "tune", [str(data)], {"rank": 16})
    data.write_text("2")
    assert one != state_folder(tmp_path, "tune", [str(data)], {"rank": 8})
