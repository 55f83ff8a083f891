"""Learning to answer: what captioning and instruction tuning have in common.

Examples are conversations about a protein; the loss is that of every answer in them, given
what stands before it and the protein's tokens.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from tqdm import tqdm

from protscribe.batching import padding_fraction, token_budget_batches
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.llm.pretrained import identity
from protscribe.models.assembly import build_captioner
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import encoder_facts, weight_facts
from protscribe.models.proteins import open_proteins
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID, Example, is_design
from protscribe.seeds import derive_seed, unit_hash
from protscribe.tables import read_table
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import Batch, Objective, Step, in_groups


class AnswerObjective(Objective):
    """Training of a captioner on the answers of conversations.

    Parameters
    ----------
    job
        Its inputs: ``conversations`` in the system's own prompt, ``language_model``, ``store``
        for a system with an encoder, ``proteins`` for one with residue tokens, and what
        `prepare` takes.
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
        folder = job.inputs["language_model"]
        self.language_model = identity(folder)
        store = job.inputs.get("store")
        manifest = None if store is None else EmbeddingStore(store).manifest
        self.encoder = encoder_facts(manifest)
        self.facts = weight_facts(job.system, self.encoder, self.language_model)
        lora = job.settings.get("lora")
        captioner, self.builder = build_captioner(
            job.system,
            folder,
            input_size=None if manifest is None else manifest["dim"],
            precision=job.system["precision"],
            lora=lora,
            whole="lora" in job.settings and lora is None,
            seed=job.training_seed,
        )
        self.prepare(captioner)
        self.proteins = open_proteins(
            job.system,
            store=store,
            proteins=job.inputs.get("proteins"),
            connector=captioner.connector,
            residues=self.builder.residues,
        )
        rows = _rows(job.inputs["conversations"], job.settings, job.training_seed)
        self.accessions = [row["accession"] for row in rows]
        self.examples = self._examples(rows)
        folds = [row["fold"] for row in rows]
        self.train = [i for i, fold in enumerate(folds) if fold == "train"]
        self.validation = [i for i, fold in enumerate(folds) if fold == "validation"]
        self.module = captioner.to(device)

    @abstractmethod
    def prepare(self, captioner: Captioner) -> None:
        """Load what was trained before, and choose what is trained."""

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

    def collate(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, list[Tensor] | None]:
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
        states = self.proteins.states([self.accessions[i] for i in batch])
        return ids.to(device), mask.to(device), labels.to(device), states

    def numbers(self) -> dict[str, Any]:
        """Return what the summary says about the training examples."""
        lengths = [len(example) for example in self.examples]
        return {
            "answers_cut": sum(self.examples[i].truncated for i in self.train),
            "padding_fraction": round(padding_fraction(lengths, self.plan(0)), 6),
            "training_tokens_an_epoch": sum(lengths[i] for i in self.train),
        }

    def _examples(self, rows: Sequence[dict[str, Any]]) -> list[Example]:
        settings, stage = self.job.settings, self.job.stage
        examples: list[Example] = []
        bar = tqdm(rows, desc="conversations", unit="row", mininterval=5)
        for row in bar:
            try:
                example = self._example(row["accession"], row["turns"])
            except InputError as error:
                raise InputError(f"conversation {row['id']}: {error}") from None
            if len(example) > settings["batch_tokens"]:
                raise InputError(
                    f"conversation {row['id']} has {len(example)} tokens, more than "
                    f"{stage}.batch_tokens ({settings['batch_tokens']}): raise it, or lower "
                    f"max_residues or {stage}.max_answer_tokens"
                )
            examples.append(example)
        return examples

    def _example(self, accession: str, turns: Sequence[Mapping[str, str]]) -> Example:
        written = self.builder.residues is not None and is_design(turns)
        protein = (
            self.proteins.answer_ids(accession)
            if written
            else self.proteins.prompt_ids([accession])[0]
        )
        settings = self.job.settings
        example = self.builder.example(turns, protein, settings["max_answer_tokens"])
        if settings.get("loss_on") != "all":
            return example
        labels = [IGNORED_LABEL if i == PLACEHOLDER_ID else i for i in example.input_ids]
        return Example(example.input_ids, labels, example.truncated)

    def _batches(self, rows: Sequence[int], shuffle_seed: int | None) -> list[Batch]:
        lengths = [len(self.examples[i]) for i in rows]
        batches = token_budget_batches(
            lengths, max_tokens=self.job.settings["batch_tokens"], shuffle_seed=shuffle_seed
        )
        return [[rows[i] for i in batch] for batch in batches]


def _rows(
    conversations: Sequence[str], settings: Mapping[str, Any], seed: int
) -> list[dict[str, Any]]:
    """Return the rows to train and to validate on, no more of each than configured."""
    columns = ["id", "accession", "corpus", "fold", "turns"]
    # Only systems with residue tokens have a choice of directions.
    directions = settings.get("directions")
    rows: list[dict[str, Any]] = []
    for path in conversations:
        table = read_table(path, "conversations", columns)
        table = table.filter(pc.is_in(table["fold"], pa.array(["train", "validation"])))
        table = table.filter(pc.is_in(table["corpus"], pa.array(settings["corpora"], pa.string())))
        rows += [
            row
            for row in table.to_pylist()
            if directions is None
            or ("design" if is_design(row["turns"]) else "describe") in directions
        ]
    limits = {"train": "max_examples", "validation": "max_validation_examples"}
    kept: list[dict[str, Any]] = []
    for fold, limit in limits.items():
        some = [row for row in rows if row["fold"] == fold]
        if fold == "train" and not some:
            raise InputError(
                f"{conversations[0]}: no conversation of {' or '.join(settings['corpora'])} to "
                "train on"
            )
        if settings[limit] is not None and len(some) > settings[limit]:
            # By hash, so that one more protein does not change the choice among the others.
            some = sorted(some, key=lambda row: unit_hash(seed, row["id"]))[: settings[limit]]
        kept += some
    return sorted(kept, key=lambda row: row["id"])
