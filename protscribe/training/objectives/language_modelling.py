"""Language modelling: the language model learns to write proteins beside its own language.

The first stage of InstructProtein: next-token loss on protein sequences and on literature, so that
one model knows both. Trained are the rows of residue tokens and low-rank adapters, or the whole
language model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from protscribe.llm.pretrained import identity
from protscribe.models.assembly import build_captioner
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import captioner_weights, save_weights, weight_facts
from protscribe.models.system_file import WEIGHTS
from protscribe.seeds import derive_seed
from protscribe.training.collectives import world
from protscribe.training.documents import Documents, read_documents
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import (
    Batch,
    Objective,
    Step,
    in_groups,
    load_trained,
    own_rates,
)
from protscribe.training.packing import Piece, collate, efficiency, mix, pack
from protscribe.training.perplexity import held_out_perplexity

Rows = list[list[Piece]]


class LanguageModellingObjective(Objective):
    """Pretraining on documents, packed into rows of one length.

    Parameters
    ----------
    job
        Its inputs: ``documents``, tables of pretraining documents, and ``language_model``. Its
        stage settings are ``align`` of the system.
    device
        Torch device.

    Raises
    ------
    InputError
        If an input is missing or does not fit, or a corpus is empty.
    """

    module: Captioner

    def __init__(self, job: TrainingJob, device: str) -> None:
        self.job = job
        settings, tables = job.settings, job.inputs["documents"]
        folder = job.inputs["language_model"]
        self.facts = weight_facts(job.system, None, identity(folder))
        captioner, self.builder = build_captioner(
            job.system,
            folder,
            input_size=None,
            precision=job.system["precision"],
            lora=settings["lora"],
            whole=settings["lora"] is None,
            seed=job.training_seed,
        )
        self.module = captioner.to(device)
        corpora = settings["corpora"]
        self.corpora = read_documents(tables, corpora, "train", self.builder)
        held_out = read_documents(
            tables,
            corpora,
            "validation",
            self.builder,
            limit=settings["max_validation_documents"],
        )
        self.documents = _Joined([*self.corpora.values(), *held_out.values()])
        self._first = dict(zip(self.corpora, self.documents.firsts, strict=False))
        train = sum(len(part) for part in self.corpora.values())
        kept = range(train, len(self.documents))
        self._rows: Rows = []
        self._validation = self._numbered(self._pack(kept, "validation"))
        self._epochs: dict[int, list[Step]] = {}
        self.passes: dict[str, float] = {}
        self.efficiency = 0.0
        # Before a single step, so of the language model as it came.
        self.before = (
            held_out_perplexity(self.module, self.builder, tables, job.system)
            if world()[0] == 0
            else {}
        )

    def steps(self, epoch: int) -> list[Step]:
        """Return steps over an epoch's mixture of corpora, each document whole in one row."""
        if epoch not in self._epochs:
            settings = self.job.settings
            mixed = mix(
                {name: part.lengths for name, part in self.corpora.items()},
                {name: settings["shares"].get(name, 1.0) for name in self.corpora},
                seed=derive_seed(self.job.training_seed, "mix", epoch),
                tokens=settings["max_tokens"],
            )
            order = [self._first[name] + number for name, number in mixed.order]
            rows = self._pack(order, epoch)
            if epoch == 0:
                lengths = [self.documents.lengths[number] for number in order]
                self.efficiency = efficiency(rows, lengths, settings["context"])
                self.passes = mixed.passes
            batches = in_groups(self._numbered(rows), self._batch_size)
            self._epochs[epoch] = in_groups(batches, settings["batches_per_step"])
        return self._epochs[epoch]

    def validation_plan(self) -> list[Batch]:
        """Return the held-out documents of all corpora."""
        return in_groups(self._validation, self._batch_size)

    def count(self, batch: Batch) -> int:
        """Return the number of label tokens: all but the first of each piece."""
        return sum(piece.end - piece.start - 1 for row in batch for piece in self._rows[row])

    def members(self, batch: Batch) -> set[int]:
        """Return the documents in a batch of rows."""
        return {piece.document for row in batch for piece in self._rows[row]}

    def deal(self, batches: Sequence[Batch], rank: int, processes: int) -> list[tuple[str, Any]]:
        """Give whole batches to the processes in turn."""
        named = [(str(number), batch) for number, batch in enumerate(batches)]
        return named[rank::processes]

    def loss_sum(self, piece: Batch) -> Tensor:
        """Return the cross-entropy of a batch's rows, summed over their tokens."""
        rows = [self._rows[row] for row in piece]
        batch = collate(rows, self.documents, self.job.settings["context"], pad_id=0)
        ids, labels, positions, mask = (tensor.to(self.module.device) for tensor in batch)
        return self.module.answer_loss(ids, mask, labels, None, positions)[0]

    def learning_rates(self) -> Mapping[str, float]:
        """Return one learning rate for the language model and one for the new rows."""
        return own_rates(self.job.settings, "residue")

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the weights with the lowest validation loss."""
        load_trained(self.module, best)
        save_weights(folder / "align" / WEIGHTS, captioner_weights(self.module), self.facts)
        tables = self.job.inputs["documents"]
        after = held_out_perplexity(self.module, self.builder, tables, self.job.system)
        lengths = {name: int(part.lengths.sum()) for name, part in self.corpora.items()}
        return {
            "packing_efficiency": round(self.efficiency, 6),
            "passes_an_epoch": {name: round(n, 4) for name, n in sorted(self.passes.items())},
            "perplexity_before": self.before,
            "perplexity": after,
            "training_tokens": lengths,
        }

    @property
    def _batch_size(self) -> int:
        settings = self.job.settings
        return max(1, settings["batch_tokens"] // settings["context"])

    def _pack(self, order: Sequence[int], name: int | str) -> Rows:
        lengths = [self.documents.lengths[number] for number in order]
        seed = derive_seed(self.job.training_seed, "rows", name)
        rows = pack(lengths, self.job.settings["context"], seed=seed)
        return [[piece._replace(document=order[piece.document]) for piece in row] for row in rows]

    def _numbered(self, rows: Rows) -> list[int]:
        first = len(self._rows)
        self._rows += rows
        return list(range(first, len(self._rows)))


class _Joined(Sequence[list[int]]):
    """Documents of several corpora under one numbering."""

    def __init__(self, parts: Sequence[Documents]) -> None:
        self._parts = parts
        edges = np.cumsum([0, *map(len, parts)])
        self.firsts = edges[:-1].tolist()
        self._edges = edges
        lengths = [part.lengths for part in parts]
        self.lengths: list[int] = np.concatenate(lengths).tolist() if lengths else []

    def __len__(self) -> int:
        return int(self._edges[-1])

    def __getitem__(self, number: Any) -> Any:
        part = int(np.searchsorted(self._edges, number, side="right")) - 1
        return self._parts[part][number - self.firsts[part]]
