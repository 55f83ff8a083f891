"""Requests to writers, and a small schema that even random models come to the end of."""

from collections.abc import Sequence

from protscribe.llm.writers import Request

SCHEMA = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "b": {"type": "string", "maxLength": 6},
                    "a": {
                        "type": "array",
                        "items": {"type": "boolean"},
                        "minItems": 3,
                        "maxItems": 6,
                    },
                },
                "required": ["b", "a"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}
TEXTS = ["Binds.", "Component of the complex. " * 9, 'It\'s "odd": {Q1: β} 🧬', "DNA and RNA", "a"]


def requests(texts: Sequence[str] = TEXTS) -> list[Request]:
    """Return one request per text, with its number as name and seed."""
    return [
        Request(
            f"r{i}", [{"role": "system", "content": "Write."}, {"role": "user", "content": t}], i
        )
        for i, t in enumerate(texts)
    ]
