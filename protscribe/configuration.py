"""From the YAML that a user writes to settings that the rules can trust."""

import copy
import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator, validators

from protscribe.consistency import check_settings
from protscribe.errors import InputError

Settings = dict[str, Any]


def resolve(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Settings:
    """Validate a configuration, fill in defaults and apply what `faithful` asks for.

    Parameters
    ----------
    config
        The configuration as read from YAML.
    schema
        JSON Schema (2020-12) with defaults; see ``config/schema.yaml``.

    Returns
    -------
    dict
        A complete copy. Systems with ``faithful: true`` have their `published` settings
        merged in, and so have the settings of the knowledge graph; the key `published` itself
        is gone. Mappings are sorted by key, so that the order of the file means nothing.

    Raises
    ------
    InputError
        If a key is unknown, a value is of a wrong type or out of range, or a name refers to
        a model that is not configured. The text names the key and what is allowed.
    """
    settings = copy.deepcopy(dict(config))
    _validate(settings, schema)
    for name, system in settings["systems"].items():
        published = system["published"]
        if system["faithful"]:
            if not published:
                raise InputError(
                    f"systems.{name}.faithful is true, but systems.{name}.published, "
                    "which lists what that changes, is empty"
                )
            settings["systems"][name] = _merge(system, published)
    knowledge = settings["knowledge"]
    if knowledge["faithful"]:
        settings["knowledge"] = _merge(knowledge, knowledge["published"])
    # The published settings are validated too, now where they count.
    _validate(settings, schema)
    for part in (*settings["systems"].values(), settings["knowledge"]):
        del part["published"]
    for system in settings["systems"].values():
        _fill_corpora(system)
    check_settings(settings)
    return _sorted(settings)


def encoder_name(encoder: Mapping[str, Any]) -> str:
    """Return the name of an encoder's embeddings, e.g. ``esm2_8m-layer5-residues128``.

    Two systems with equal encoder settings share one store; whatever makes embeddings
    differ is part of the name.
    """
    name = f"{encoder['model']}-layer{encoder['layer']}-residues{encoder['max_residues']}"
    name += {True: "", False: "-bare", "end": "-end"}[encoder["special_tokens"]]
    return name + ("" if encoder["dtype"] == "float32" else f"-{encoder['dtype']}")


def _validate(settings: Settings, schema: Mapping[str, Any]) -> None:
    validator = _with_defaults(Draft202012Validator)(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(settings))
    if error is not None:
        raise InputError(_explain(error))


def _with_defaults(base: Any) -> Any:
    check_properties = base.VALIDATORS["properties"]

    def fill_in(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, dict):
            for key, value in properties.items():
                if "default" in value:
                    instance.setdefault(key, copy.deepcopy(value["default"]))
        yield from check_properties(validator, properties, instance, schema)

    return validators.extend(base, {"properties": fill_in})


def _explain(error: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        allowed = sorted(schema.get("properties", {}))
        unknown = sorted(set(instance) - set(allowed))[0]
        where = "" if key == "the configuration" else f"{key}."
        close = difflib.get_close_matches(unknown, allowed, 1)
        hint = f"; did you mean {close[0]}" if close else ""
        return f"configuration: unknown key {where}{unknown}{hint}; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        return f"configuration: {key}: {error.message}"
    limit = {
        "enum": lambda: "one of " + ", ".join(map(str, schema["enum"])),
        "const": lambda: f"{schema['const']}",
        "type": lambda: _types(schema["type"]),
        "minimum": lambda: f"at least {schema['minimum']}",
        "maximum": lambda: f"at most {schema['maximum']}",
        "exclusiveMinimum": lambda: f"above {schema['exclusiveMinimum']}",
        "pattern": lambda: f"text matching {schema['pattern']}",
        "minItems": lambda: f"at least {schema['minItems']} item(s)",
        "minProperties": lambda: f"at least {schema['minProperties']} entry",
    }.get(str(error.validator), lambda: error.message)()
    return f"configuration: {key} is {instance!r}; allowed: {limit}"


def _types(names: str | list[str]) -> str:
    plain = {"null": "empty (null)", "object": "a mapping", "array": "a list", "string": "text"}
    listed = [names] if isinstance(names, str) else names
    return " or ".join(plain.get(name, f"a {name}") for name in listed)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value


def _merge(base: Settings, changes: Mapping[str, Any]) -> Settings:
    merged = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _fill_corpora(system: Settings) -> None:
    predict = system["predict"]
    if predict["corpora"] is None:
        predict["corpora"] = system.get("tune", {}).get("corpora", ["descriptions"])


def guide(schema: Mapping[str, Any]) -> str:
    """Return the schema as Markdown: every key with its type, default and meaning."""
    lines = [
        "# Every key of a configuration",
        "",
        "Made from `schema.yaml` by `python -m protscribe.configuration`. An unknown key, a wrong",
        "type or a name without a model ends the run with one line that says what is allowed.",
        "`config.yaml` is the embedded default; another file is used instead of it, not on top:",
        "`snakemake --cores all --configfile config/prot2text_v2.yaml`.",
        "",
    ]
    named = {"model": "`models.NAME`", "system": "`systems.NAME`"}
    parts = {"The whole": schema} | {
        named.get(name, f"Options of {part.get('title')}"): part
        for name, part in schema["$defs"].items()
    }
    for title, part in parts.items():
        lines += [f"## {title}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        lines += list(_guide_rows(part, ""))
        lines.append("")
    return "\n".join(lines)


def _guide_rows(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = schema.get("required", [])
    for key, value in schema.get("properties", {}).items():
        if "const" in value:
            continue  # What the options belong to; the heading says it.
        kind = " \\| ".join(map(str, value["enum"])) if "enum" in value else ""
        kind = kind or _types(value["type"]).replace("a ", "")
        default = "required" if key in required else f"`{json.dumps(value.get('default', ''))}`"
        default = {'`""`': "", "`{}`": ""}.get(default, default)
        meaning = value.get("description", "").replace("|", "\\|")
        yield f"| {prefix}`{key}` | {kind} | {default} | {meaning} |"
        yield from _guide_rows(value, f"{prefix}`{key}`.")


if __name__ == "__main__":
    import yaml

    folder = Path(__file__).parents[1] / "config"
    text = guide(yaml.safe_load((folder / "schema.yaml").read_text(encoding="utf-8")))
    (folder / "README.md").write_text(text, encoding="utf-8")
