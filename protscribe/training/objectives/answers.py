"""Learning to answer: what captioning and instruction tuning have in common.

Examples are conversations about a protein; the loss is that of every answer in them, given
what stands before it and the protein's tokens.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from protscribe.batching import padding_fraction, token_budget_batches
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.llm.pretrained import (
    hidden_size,
    identity,
    load_language_model,
    load_prompt_builder,
)
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import connector_facts, encoder_facts
from protscribe.models.connectors import Connector
from protscribe.models.published.prompts import prompt_builder
from protscribe.prompts import IGNORED_LABEL, Example
from protscribe.seeds import derive_seed, unit_hash
from protscribe.tables import read_table
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import Batch, Objective, Step, in_groups


class AnswerObjective(Objective):
    """Training of a captioner on the answers of conversations.

    Parameters
    ----------
    job
        Its inputs: ``store``, ``conversations`` in the system's own prompt,
        ``language_model``, and what `make_connector` takes.
    device
        Torch device.

    Raises
    ------
    InputError
        If an input is missing or does not fit, no training conversation is there, or one
        alone exceeds the stage's ``batch_tokens``.
    """

    module: Captioner

    def __init__(self, job: TrainingJob, device: str) -> None:
        self.job = job
        self.store = EmbeddingStore(Path(job.inputs["store"]))
        self.encoder = encoder_facts(self.store.manifest)
        folder = job.inputs["language_model"]
        self.language_model = identity(folder)
        self.facts = connector_facts(job.system, self.encoder, self.language_model)
        # As prediction has it, so that their prompts are the same.
        self.builder = prompt_builder(job.system["prompt"], load_prompt_builder(folder).tokenizer)
        connector = self.make_connector(hidden_size(folder))
        rows = _rows(
            job.inputs["conversations"],
            job.settings["corpora"],
            job.settings["max_examples"],
            job.training_seed,
        )
        self.accessions = [row["accession"] for row in rows]
        self.examples = self._examples(rows, connector)
        folds = [row["fold"] for row in rows]
        self.train = [i for i, fold in enumerate(folds) if fold == "train"]
        self.validation = [i for i, fold in enumerate(folds) if fold == "validation"]
        model = self.adapt(load_language_model(folder, precision=job.system["precision"]))
        self.module = Captioner(model, connector, self.builder.end_of_turn_id).to(device)

    @abstractmethod
    def make_connector(self, output_size: int) -> Connector:
        """Return the connector to begin with, for a language model of this width."""

    def adapt(self, language_model: Any) -> Any:
        """Return the language model as it is trained; as it comes, it is frozen."""
        return language_model

    def steps(self, epoch: int) -> list[Step]:
        """Return batches of like length within the token budget, in random order.

        With ``examples_per_step``, every step has so many examples, however many batches
        they fill; else ``batches_per_step`` batches.
        """
        settings = self.job.settings
        seed = derive_seed(self.job.training_seed, self.job.stage, epoch)
        size = settings["examples_per_step"]
        if size is None:
            return in_groups(self._batches(self.train, seed), settings["batches_per_step"])
        order = np.random.default_rng(seed).permutation(self.train).tolist()
        return [self._batches(examples, None) for examples in in_groups(order, size)]

    def validation_plan(self) -> list[Batch]:
        """Return batches of like length within the token budget."""
        return self._batches(self.validation, None)

    def count(self, batch: Batch) -> int:
        """Return the number of label tokens."""
        return sum(self.examples[i].label_count for i in batch)

    def deal(self, batches: Sequence[Batch], rank: int, processes: int) -> list[tuple[str, Any]]:
        """Give whole batches to the processes in turn."""
        named = [(str(number), batch) for number, batch in enumerate(batches)]
        return named[rank::processes]

    def loss_sum(self, piece: Batch) -> Tensor:
        """Return the cross-entropy of a batch's answers, summed over their tokens."""
        return self.module.answer_loss(*self.collate(piece))[0]

    def collate(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Return ids, attention mask and labels, padded on the right, and encoder states."""
        examples = [self.examples[i] for i in batch]
        width = max(len(example) for example in examples)
        shape = len(examples), width
        ids = torch.zeros(shape, dtype=torch.long)
        mask = torch.zeros(shape, dtype=torch.long)
        labels = torch.full(shape, IGNORED_LABEL)
        for row, example in enumerate(examples):
            ids[row, : len(example)] = torch.tensor(example.input_ids)
            mask[row, : len(example)] = 1
            labels[row, : len(example)] = torch.tensor(example.labels)
        device = self.module.device
        states = [self.store[self.accessions[i]] for i in batch]
        return ids.to(device), mask.to(device), labels.to(device), states

    def numbers(self) -> dict[str, Any]:
        """Return what the summary says about the training examples."""
        lengths = [len(example) for example in self.examples]
        return {
            "answers_cut": sum(self.examples[i].truncated for i in self.train),
            "padding_fraction": round(padding_fraction(lengths, self.plan(0)), 6),
            "training_tokens_an_epoch": sum(lengths[i] for i in self.train),
        }

    def _examples(self, rows: Sequence[dict[str, Any]], connector: Connector) -> list[Example]:
        settings, stage = self.job.settings, self.job.stage
        lengths = self.store.lengths(self.accessions)
        examples: list[Example] = []
        bar = tqdm(rows, desc="conversations", unit="row", mininterval=5)
        for row, length in zip(bar, lengths, strict=True):
            try:
                example = self.builder.example(
                    row["turns"], connector.token_count(length), settings["max_answer_tokens"]
                )
            except InputError as error:
                raise InputError(f"conversation {row['id']}: {error}") from None
            if len(example) > settings["batch_tokens"]:
                raise InputError(
                    f"conversation {row['id']} has {len(example)} tokens, more than "
                    f"{stage}.batch_tokens ({settings['batch_tokens']}): raise it, or lower "
                    f"encoder.max_residues or {stage}.max_answer_tokens"
                )
            examples.append(example)
        return examples

    def _batches(self, rows: Sequence[int], shuffle_seed: int | None) -> list[Batch]:
        lengths = [len(self.examples[i]) for i in rows]
        batches = token_budget_batches(
            lengths, max_tokens=self.job.settings["batch_tokens"], shuffle_seed=shuffle_seed
        )
        return [[rows[i] for i in batch] for batch in batches]


def _rows(
    conversations: Sequence[str], corpora: Sequence[str], max_examples: int | None, seed: int
) -> list[dict[str, Any]]:
    """Return the training rows, at most `max_examples` of them, and the validation rows."""
    columns = ["id", "accession", "corpus", "fold", "turns"]
    rows: list[dict[str, Any]] = []
    for path in conversations:
        table = read_table(path, "conversations", columns)
        rows += [row for row in table.to_pylist() if row["corpus"] in corpora]
    train = [row for row in rows if row["fold"] == "train"]
    if not train:
        raise InputError(
            f"{conversations[0]}: no conversation of {' or '.join(corpora)} to train on"
        )
    if max_examples is not None and len(train) > max_examples:
        # By hash, so that one more protein does not change the choice among the others.
        train = sorted(train, key=lambda row: unit_hash(seed, row["id"]))[:max_examples]
    kept = train + [row for row in rows if row["fold"] == "validation"]
    return sorted(kept, key=lambda row: row["id"])
