"""Writing with a language model in this process."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import AutoConfig, GenerationConfig, LogitsProcessor

from protscribe.batching import token_budget_batches
from protscribe.devices import pick_device
from protscribe.errors import InputError
from protscribe.llm.constraint import SchemaConstraint
from protscribe.llm.pretrained import identity, load_language_model, load_prompt_builder
from protscribe.llm.writers import REFUSED, Answer, Request, Schema, finish_reason

# What a chat template may say of today, so that a prompt is the same on every day.
DATE = "26 Jul 2024"

# Private characters around a turn's number stand for its content while the template is filled.
_PLACE = "\ue000{}\ue001"
_PLACES = re.compile("\ue000(\\d+)\ue001")


class LocalWriter:
    """A local chat model, in batches, its output constrained to the schema.

    Batches are padded on the left and positions count real tokens only, so that in float32 an
    answer does not depend on what is written beside it.

    Parameters
    ----------
    folder
        Folder of the language model, as `get_model` leaves it.
    temperature
        0 takes the likeliest token; above it, tokens are drawn with the request's own seed.
    max_new_tokens
        Most tokens of an answer, its end-of-turn included.
    batch_tokens
        Most positions of a batch, prompts and answers together.
    device
        ``auto``, ``cpu`` or ``cuda``.
    threads
        CPU threads.
    precision
        Of the weights, ``float32`` or ``bf16``.

    Raises
    ------
    InputError
        If the folder holds no chat model, or a setting cannot be.
    """

    def __init__(
        self,
        folder: Path,
        *,
        temperature: float,
        max_new_tokens: int,
        batch_tokens: int,
        device: str = "cpu",
        threads: int = 1,
        precision: str = "float32",
    ) -> None:
        facts = identity(folder)
        if temperature < 0 or max_new_tokens < 1:
            raise InputError(
                "language_model: temperature must not be below 0 nor max_new_tokens below 1"
            )
        self.folder = Path(folder)
        self.name = f"transformers/{facts['name']}"
        self.revision = facts["weights_sha256"]
        self.temperature = temperature
        self.max_new_tokens = max_new_tokens
        self.batch_tokens = batch_tokens
        self.device = pick_device(device)
        self.precision = precision
        self.settings: Mapping[str, Any] = {
            "temperature": float(temperature),
            "max_new_tokens": max_new_tokens,
            "precision": self.precision,
        }
        self.threads = threads
        self.tokenizer: Any = load_prompt_builder(folder).tokenizer
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        self.window: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
        self._constraints: dict[str, SchemaConstraint] = {}

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self._plain_ids(text))

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Return batches of like length within the budget, the longest first.

        Raises
        ------
        InputError
            If a request alone exceeds the budget.
        """
        sizes = [len(self.prompt(r.turns)) + self.max_new_tokens for r in requests]
        too_long = [i for i, size in enumerate(sizes) if not self._fits(size)]
        fitting = [i for i, size in enumerate(sizes) if self._fits(size)]
        if fitting and (most := max(sizes[i] for i in fitting)) > self.batch_tokens:
            raise InputError(
                f"language_model.batch_tokens: {self.batch_tokens} is less than one prompt "
                f"and its answer can have, {most}; raise it, or lower max_context_tokens or "
                "max_new_tokens"
            )
        batches = token_budget_batches([sizes[i] for i in fitting], max_tokens=self.batch_tokens)
        return [[requests[i]] for i in too_long] + [
            [requests[fitting[i]] for i in batch] for batch in batches
        ]

    def write(
        self, batches: Sequence[Sequence[Request]], schema: Schema
    ) -> Iterator[tuple[Request, Answer]]:
        """Yield the answers batch by batch; a prompt beyond the model's window is refused.

        Raises
        ------
        InputError
            If the model cannot be loaded, or a batch does not fit into the GPU's memory.
        """
        for batch in batches:
            prompts = [self.prompt(request.turns) for request in batch]
            fitting: list[tuple[Request, list[int]]] = []
            for request, prompt in zip(batch, prompts, strict=True):
                if self._fits(len(prompt) + self.max_new_tokens):
                    fitting.append((request, prompt))
                else:
                    detail = f"a prompt of {len(prompt)} tokens, the model reads {self.window}"
                    yield request, Answer(None, REFUSED, 0, detail)
            if fitting:
                answers = self._generate(
                    [prompt for _, prompt in fitting], [r.seed for r, _ in fitting], schema
                )
                yield from zip([request for request, _ in fitting], answers, strict=True)

    def prompt(self, turns: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the ids of a conversation up to where the assistant is to write.

        Contents are tokenised as plain text: a special token that a text spells out stays a few
        harmless letters and opens no turn.

        Raises
        ------
        InputError
            If the chat template cannot render these turns.
        """
        places = [
            {"role": turn["role"], "content": _PLACE.format(number)}
            for number, turn in enumerate(turns)
        ]
        try:
            text = self.tokenizer.apply_chat_template(
                places, tokenize=False, add_generation_prompt=True, date_string=DATE
            )
        except TemplateError as error:
            raise InputError(
                f"{self.folder}: its chat template refuses the prompt ({error}); choose a model "
                "whose template takes a system turn"
            ) from None
        ids: list[int] = []
        # Every second piece is the number of a turn.
        for index, piece in enumerate(_PLACES.split(text)):
            if index % 2:
                ids += self._plain_ids(turns[int(piece)]["content"])
            elif piece:
                ids += self.tokenizer(piece, add_special_tokens=False)["input_ids"]
        return ids

    @cached_property
    def model(self) -> Any:
        """The model, loaded when the first answer is wanted."""
        torch.set_num_threads(self.threads)
        model = load_language_model(self.folder, device=self.device, precision=self.precision)
        shipped = model.generation_config.eos_token_id
        stops = {self.tokenizer.eos_token_id}
        stops |= set(shipped if isinstance(shipped, list) else [shipped]) - {None}
        padding = self.tokenizer.pad_token_id
        # Penalties and cut-offs that models ship would act against the schema, and unseen.
        model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=sorted(stops),
            pad_token_id=self.tokenizer.eos_token_id if padding is None else padding,
        )
        return model

    def _fits(self, size: int) -> bool:
        return self.window is None or size <= self.window

    def _plain_ids(self, text: str) -> list[int]:
        encoded = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        )
        return encoded["input_ids"]

    def _constraint(self, schema: Schema) -> SchemaConstraint:
        key = json.dumps(schema)
        if key not in self._constraints:
            vocabulary = self.model.get_output_embeddings().weight.shape[0]
            stops = self.model.generation_config.eos_token_id
            self._constraints[key] = SchemaConstraint(self.tokenizer, vocabulary, stops, schema)
        return self._constraints[key]

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[Sequence[int]], seeds: Sequence[int], schema: Schema
    ) -> list[Answer]:
        settings = self.model.generation_config
        longest = max(map(len, prompts))
        ids = torch.full((len(prompts), longest), settings.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        processors = self._constraint(schema).processors()
        if self.temperature > 0:
            processors.append(SeededSampler(seeds, self.temperature, self.device))
        try:
            written = self.model.generate(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                logits_processor=processors,
            )
        except torch.OutOfMemoryError:
            raise InputError(
                f"a batch of {self.batch_tokens} tokens does not fit into the GPU's memory; "
                "lower language_model.batch_tokens"
            ) from None
        stops = set(settings.eos_token_id)
        return [self._finish(row, stops, schema) for row in written[:, longest:].tolist()]

    def _finish(self, row: list[int], stops: set[int], schema: Schema) -> Answer:
        end = next((i for i, token in enumerate(row) if token in stops), None)
        kept = row[:end]
        text = self.tokenizer.decode(kept, clean_up_tokenization_spaces=False)
        return Answer(text, finish_reason(text, schema, cut=end is None), len(kept))


class SeededSampler(LogitsProcessor):
    """Draws tokens with a seed per row, so that a draw does not depend on the other rows.

    Gumbel noise is added to the scaled scores, whose largest is then a draw from their softmax.

    Parameters
    ----------
    seeds
        One per row.
    temperature
        Above 0.
    device
        Where the scores lie.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, device: str) -> None:
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self.temperature = temperature

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return noisy scores, shape (rows, vocabulary)."""
        noise = torch.stack(
            [
                torch.empty_like(scores[0], dtype=torch.float32).exponential_(generator=generator)
                for generator in self.generators
            ]
        )
        # A zero would outweigh every score, even that of a token which the grammar forbids.
        noise = noise.clamp(min=torch.finfo(torch.float32).tiny).log()
        return scores.float() / self.temperature - noise
