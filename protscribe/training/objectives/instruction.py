"""Instruction tuning: the language model learns to answer, given the protein's tokens.

Trained are low-rank adapters in the language model and, if configured, the connector.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from protscribe.models.checkpoint import (
    ADAPTER,
    CONNECTOR,
    adapter_tensors,
    connector_facts,
    encoder_facts,
    load_connector,
    save_connector,
    save_model,
)
from protscribe.models.language_model import add_lora
from protscribe.models.tensors import write_tensors
from protscribe.prompts import IGNORED_LABEL, Example
from protscribe.seeds import derive_seed, unit_hash
from protscribe.tables import read_table
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import Batch, Objective, load_trained


class InstructionObjective(Objective):
    """Tuning of a captioner on conversations.

    Parameters
    ----------
    job
        Its inputs: ``store``, ``conversations``, ``language_model`` and ``connector`` (the
        aligned one). `stage` settings are ``tune`` of the system.
    device
        Torch device.

    Raises
    ------
    InputError
        If an input is missing or does not fit, no training conversation is there, or one
        alone exceeds ``tune.batch_tokens``.
    """

    module: Captioner

    def __init__(self, job: TrainingJob, device: str) -> None:
        self.job = job
        settings, system = job.settings, job.system
        self.store = EmbeddingStore(Path(job.inputs["store"]))
        self.encoder = encoder_facts(self.store.manifest)
        folder = job.inputs["language_model"]
        self.language_model = identity(folder)
        connector = load_connector(
            job.inputs["connector"],
            system["connector"],
            self.store.dim,
            hidden_size(folder),
            connector_facts(system, self.encoder, self.language_model),
        )
        connector.requires_grad_(settings["train_connector"])
        self.builder = load_prompt_builder(folder)
        rows = _rows(job.inputs["conversations"], settings["max_examples"], job.training_seed)
        if not any(row["fold"] == "train" for row in rows):
            raise InputError(f"{job.inputs['conversations'][0]}: no conversation to train on")
        self.accessions = [row["accession"] for row in rows]
        lengths = self.store.lengths(self.accessions)
        self.examples: list[Example] = []
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
                    f"tune.batch_tokens ({settings['batch_tokens']}): raise it, or lower "
                    "encoder.max_residues or tune.max_answer_tokens"
                )
            self.examples.append(example)
        folds = [row["fold"] for row in rows]
        self.train = [i for i, fold in enumerate(folds) if fold == "train"]
        self.validation = [i for i, fold in enumerate(folds) if fold == "validation"]
        model = load_language_model(folder, precision=system["precision"])
        model = add_lora(model, settings["lora"], job.training_seed)
        self.module = Captioner(model, connector, self.builder.end_of_turn_id).to(device)

    def plan(self, epoch: int) -> list[Batch]:
        """Return batches of like length within the token budget, in random order."""
        return self._batches(self.train, derive_seed(self.job.training_seed, "tune", epoch))

    def validation_plan(self) -> list[Batch]:
        """Return batches of like length within the token budget."""
        return self._batches(self.validation, None)

    def count(self, batch: Batch) -> int:
        """Return the number of label tokens."""
        return sum(len(self.examples[i].answer_ids) for i in batch)

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

    def learning_rates(self) -> Mapping[str, float]:
        """Return one learning rate for the adapters and one for the connector."""
        settings = self.job.settings
        connector = settings["connector_learning_rate"]
        rate = settings["learning_rate"]
        return {"": rate, "connector.": rate if connector is None else connector}

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the last weights below ``tune/last`` and the best as a finished model."""
        job = self.job
        load_trained(self.module, last)
        expected = connector_facts(job.system, self.encoder, self.language_model)
        save_connector(folder / "tune" / "last" / CONNECTOR, self.module.connector, expected)
        adapter = adapter_tensors(self.module.language_model)
        write_tensors(folder / "tune" / "last" / ADAPTER, adapter)
        load_trained(self.module, best)
        save_model(
            folder / "model",
            self.module,
            name=job.system_name,
            training_seed=job.training_seed,
            system=job.system,
            encoder=self.encoder,
            language_model=self.language_model,
            training=facts,
        )
        lengths = [len(example) for example in self.examples]
        return {
            "answers_cut": sum(self.examples[i].truncated for i in self.train),
            "padding_fraction": round(padding_fraction(lengths, self.plan(0)), 6),
            "training_tokens_an_epoch": sum(lengths[i] for i in self.train),
        }

    def _batches(self, rows: Sequence[int], shuffle_seed: int | None) -> list[Batch]:
        lengths = [len(self.examples[i]) for i in rows]
        batches = token_budget_batches(
            lengths, max_tokens=self.job.settings["batch_tokens"], shuffle_seed=shuffle_seed
        )
        return [[rows[i] for i in batch] for batch in batches]


def _rows(
    conversations: Sequence[str], max_examples: int | None, seed: int
) -> list[dict[str, Any]]:
    """Return the training rows, at most `max_examples` of them, and the validation rows."""
    rows: list[dict[str, Any]] = []
    for path in conversations:
        table = read_table(path, "conversations", ["id", "accession", "fold", "turns"])
        rows += [row for row in table.to_pylist() if row["fold"] in ("train", "validation")]
    train = [row for row in rows if row["fold"] == "train"]
    if max_examples is not None and len(train) > max_examples:
        # By hash, so that one more protein does not change the choice among the others.
        train = sorted(train, key=lambda row: unit_hash(seed, row["id"]))[:max_examples]
    kept = train + [row for row in rows if row["fold"] == "validation"]
    return sorted(kept, key=lambda row: row["id"])
