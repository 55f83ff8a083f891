"""What a language model's chat template writes around the turns of a conversation."""

import re
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from protscribe.errors import InputError

_STAND_IN = "\ue000{}\ue001"
_STAND_INS = re.compile("\ue000(\\d+)\ue001")
_PADDING = "\x0b"
"""White space that no template writes: where it is gone, the template trims."""


@dataclass(frozen=True)
class Frame:
    """What stands around the turns of a conversation that ends with a user.

    Parameters
    ----------
    texts
        What the template writes before each turn and after the last.
    pieces
        What a conversation holds there: as `texts`, but the end-of-turn of an answer belongs
        to the answer, and every prompt within ends as it does while it waits for its answer.
    trims
        Whether the template trims each turn on the left and on the right.
    """

    texts: list[str]
    pieces: list[str]
    trims: list[tuple[bool, bool]]


class ChatFrames:
    """Frames by the roles of the turns, read off the template with stand-ins for contents.

    Parameters
    ----------
    tokenizer
        A transformers tokenizer with a chat template and an end-of-turn.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._known: dict[tuple[str, ...], Frame] = {}

    def of(self, roles: tuple[str, ...]) -> Frame:
        """Return the frame of turns with these roles, of which the last is ``user``.

        Raises
        ------
        InputError
            If the template refuses these roles or does not write each turn once and in order;
            or, for several questions, if a prompt would differ between training and inference.
        """
        if roles not in self._known:
            texts = self._render(roles, "")
            padded = self._render(roles, _PADDING)
            trims = [
                (not padded[i].endswith(_PADDING), not padded[i + 1].startswith(_PADDING))
                for i in range(len(roles))
            ]
            pieces = texts
            if "assistant" in roles:
                earlier = self.of(roles[:-2])
                pieces = [*earlier.pieces, self._after_answer(earlier.texts, texts), texts[-1]]
            self._known[roles] = Frame(texts, pieces, trims)
        return self._known[roles]

    def _after_answer(self, earlier: list[str], texts: list[str]) -> str:
        """Return what stands between the end of the last answer and the user's next turn."""
        *same, prompt = earlier
        *before, opening, between, _ = texts
        end = self.tokenizer.eos_token
        # Some templates write a space before an answer that their prompt does not end with.
        if same != before or not opening.startswith(prompt) or opening[len(prompt) :].strip():
            reason = "writes a prompt otherwise once there is an answer to it"
        elif not between.startswith(end):
            reason = f"does not end an answer with {end!r}"
        else:
            return between.removeprefix(end)
        raise self._unfit(f"{reason}; for conversations of several questions choose another model")

    def _render(self, roles: tuple[str, ...], padding: str) -> list[str]:
        contents = [padding + _STAND_IN.format(number) + padding for number in range(len(roles))]
        turns = [{"role": r, "content": c} for r, c in zip(roles, contents, strict=True)]
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise self._unfit(f"refuses turns of {', '.join(roles)} ({error})") from None
        if [int(number) for number in _STAND_INS.findall(text)] != list(range(len(roles))):
            raise self._unfit(f"does not write turns of {', '.join(roles)} once and in order")
        return _STAND_INS.split(text)[::2]

    def _unfit(self, reason: str) -> InputError:
        return InputError(f"{self.tokenizer.name_or_path}: the chat template {reason}")
