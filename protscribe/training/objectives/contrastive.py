"""H-SCALE: proteins and their texts come to lie together, by InfoNCE between pooled tokens.

Only the connector is trained. Proteins come from the store of embeddings and texts from
their table of vectors, so that neither the encoder nor the language model is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from protscribe.atomic import sha256_text
from protscribe.embeddings.pooling import pooled
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.models.checkpoint import (
    connector_weights,
    encoder_facts,
    save_weights,
    weight_facts,
)
from protscribe.models.connectors import Connector, build_connector, pad_states
from protscribe.models.system_file import WEIGHTS
from protscribe.seeds import derive_seed
from protscribe.tables import read_metadata, read_table
from protscribe.training.collectives import gather_rows, world
from protscribe.training.launch import TrainingJob
from protscribe.training.losses import info_nce, paired_vectors
from protscribe.training.objectives import Batch, Objective, Step, in_groups, load_trained

TEMPERATURE_FLOOR = 0.01
"""Lowest learned temperature, as in CLIP (Radford et al. 2021)."""


@dataclass(frozen=True)
class Piece:
    """One process's rows of a batch, filled up so that all processes have equally many."""

    rows: Batch
    real: list[bool]


class ContrastiveModel(nn.Module):
    """A connector under the contrastive loss.

    Parameters
    ----------
    connector
        What is trained.
    settings
        ``align`` of a system.
    """

    def __init__(self, connector: Connector, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.connector = connector
        self.settings = settings
        start = torch.tensor(float(settings["temperature"])).log()
        self.log_temperature = nn.Parameter(start, requires_grad=settings["learn_temperature"])

    @property
    def temperature(self) -> Tensor:
        """The temperature, fixed or as learned so far."""
        return self.log_temperature.exp().clamp(min=TEMPERATURE_FLOOR)

    def forward(
        self,
        states: Tensor,
        mask: Tensor,
        text_mean: Tensor,
        text_std: Tensor,
        text_ids: Tensor,
        real: Tensor,
    ) -> Tensor:
        """Return the summed loss of this process's rows.

        Parameters
        ----------
        states, mask
            Padded encoder states, as for `Connector.forward`.
        text_mean, text_std
            Vectors of the rows' texts, shape (rows, width).
        text_ids
            Equal numbers mean equal texts, shape (rows,).
        real
            False for rows that only fill up, shape (rows,).
        """
        settings = self.settings
        tokens, token_mask = self.connector(states, mask)
        # The loss keeps float32 also under autocast.
        with torch.autocast(states.device.type, enabled=False):
            options = settings["pooling"], settings["loss"]
            proteins = paired_vectors(*pooled(tokens, token_mask), *options)
            texts = paired_vectors(text_mean, text_std, *options)
            gather = gather_rows if settings["gather_negatives"] else _keep
            first = len(real) * (world()[0] if settings["gather_negatives"] else 0)
            all_ids, all_real = gather(text_ids), gather(real)
            targets = torch.arange(first, first + len(real), device=real.device)[real]
            excluded = ~all_real.unsqueeze(0)
            if settings["mask_identical_texts"]:
                excluded = excluded | (text_ids.unsqueeze(1) == all_ids.unsqueeze(0))
            excluded = excluded.expand(len(real), len(all_ids))[real]

            total = tokens.new_zeros(())
            weights = settings["term_weights"] if len(proteins) > 1 else [1.0]
            for weight, protein, text in zip(weights, proteins, texts, strict=True):
                term = info_nce(protein[real], gather(text), targets, self.temperature, excluded)
                if settings["symmetric"]:
                    back = info_nce(
                        text[real], gather(protein), targets, self.temperature, excluded
                    )
                    term = (term + back) / 2
                total = total + weight * term
            return total


class ContrastiveObjective(Objective):
    """Alignment of a connector with the language model's view of texts.

    Parameters
    ----------
    job
        Its inputs: ``store``, ``texts`` and ``conversations``.
    device
        Torch device.

    Raises
    ------
    InputError
        If an input is missing or does not fit, or fewer than two training pairs are there.
    """

    def __init__(self, job: TrainingJob, device: str) -> None:
        self.job, self.device = job, torch.device(device)
        settings = job.settings
        if settings["loss"] == "two_term" and list(settings["pooling"]) != ["mean", "std"]:
            raise InputError("align.loss two_term needs align.pooling [mean, std]")
        self.store = EmbeddingStore(Path(job.inputs["store"]))
        vectors = read_table(job.inputs["texts"], "text_vectors")
        self.text_facts = read_metadata(job.inputs["texts"])
        self.means, self.stds = (_matrix(vectors[part]) for part in ("mean", "std"))
        rows = {key: row for row, key in enumerate(vectors["text_hash"].to_pylist())}
        pairs = _pairs(job.inputs["conversations"], settings["corpora"], rows, job.inputs["texts"])
        self.store.lengths([accession for _, accession, _ in pairs])
        self.pairs = [(accession, text) for _, accession, text in pairs]
        self.train = [i for i, pair in enumerate(pairs) if pair[0] == "train"]
        self.validation = [i for i, pair in enumerate(pairs) if pair[0] == "validation"]
        if len(self.train) < 2:
            raise InputError(
                f"{job.inputs['conversations'][0]}: {len(self.train)} training pair(s); "
                "a contrast needs at least two"
            )
        torch.manual_seed(derive_seed(job.training_seed, "connector"))
        connector = build_connector(job.system["connector"], self.store.dim, self.means.shape[1])
        self.module = ContrastiveModel(connector, settings).to(self.device)

    def steps(self, epoch: int) -> list[Step]:
        """Return random batches of nearly equal size, ``batches_per_step`` a step."""
        seed = derive_seed(self.job.training_seed, "align", epoch)
        order = np.random.default_rng(seed).permutation(self.train).tolist()
        settings = self.job.settings
        return in_groups(_even_batches(order, settings["batch_size"]), settings["batches_per_step"])

    def validation_plan(self) -> list[Batch]:
        """Return the validation pairs in their order; none if there is but one."""
        if len(self.validation) < 2:
            return []
        return _even_batches(self.validation, self.job.settings["batch_size"])

    def count(self, batch: Batch) -> int:
        """Return the number of pairs."""
        return len(batch)

    def deal(self, batches: Sequence[Batch], rank: int, processes: int) -> list[tuple[str, Any]]:
        """Cut each batch into one slice per process."""
        pieces = []
        for number, batch in enumerate(batches):
            share = -(-len(batch) // processes)
            rows = batch[rank * share : (rank + 1) * share]
            filling = share - len(rows)
            piece = Piece(rows + batch[:1] * filling, [True] * len(rows) + [False] * filling)
            pieces.append((f"{number}.{rank}", piece))
        return pieces

    def loss_sum(self, piece: Piece) -> Tensor:
        """Return the summed loss of this process's slice."""
        accessions = [self.pairs[row][0] for row in piece.rows]
        texts = torch.tensor([self.pairs[row][1] for row in piece.rows])
        states, mask = pad_states([self.store[name] for name in accessions], self.device)
        return self.module(
            states,
            mask,
            self.means[texts].to(self.device),
            self.stds[texts].to(self.device),
            texts.to(self.device),
            torch.tensor(piece.real).to(self.device),
        )

    def learning_rates(self) -> Mapping[str, float]:
        """Return the one learning rate."""
        return {"": self.job.settings["learning_rate"]}

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the connector with the lowest validation loss."""
        load_trained(self.module, best)
        assert isinstance(self.module, ContrastiveModel)
        language_model = {
            "name": self.text_facts.get("language_model"),
            "weights_sha256": self.text_facts.get("weights_sha256"),
        }
        encoder = encoder_facts(self.store.manifest)
        save_weights(
            folder / "align" / WEIGHTS,
            connector_weights(self.module.connector),
            weight_facts(self.job.system, encoder, language_model),
        )
        return {
            "distinct_training_texts": len({self.pairs[row][1] for row in self.train}),
            "temperature": round(float(self.module.temperature), 6),
        }


def _keep(rows: Tensor) -> Tensor:
    return rows


def _matrix(column: pa.ChunkedArray) -> Tensor:
    flat = column.combine_chunks().flatten().to_numpy()
    return torch.from_numpy(flat.reshape(len(column), -1).copy())


def _even_batches(order: Sequence[int], size: int) -> list[Batch]:
    # Even, so that no batch lacks negatives, and never a lone pair, which has none.
    number = max(1, min(-(-len(order) // size), len(order) // 2))
    return [batch.tolist() for batch in np.array_split(np.asarray(order), number)]


def _pairs(
    conversations: Sequence[str], corpora: Sequence[str], rows: Mapping[str, int], vectors: str
) -> list[tuple[str, str, int]]:
    """Return the distinct (fold, accession, row of the text's vectors), sorted."""
    pairs = set()
    for path in conversations:
        columns = ["id", "accession", "corpus", "fold", "turns"]
        for row in read_table(path, "conversations", columns).to_pylist():
            if row["corpus"] not in corpora or row["fold"] not in ("train", "validation"):
                continue
            if not row["turns"] or row["turns"][-1]["role"] != "assistant":
                raise InputError(f"{path}: conversation {row['id']} has no answer at its end")
            text = rows.get(sha256_text(row["turns"][-1]["content"]))
            if text is None:
                raise InputError(
                    f"{vectors}: no vectors for the text of conversation {row['id']}; "
                    "run embed_texts again"
                )
            pairs.add((row["fold"], row["accession"], text))
    return sorted(pairs)
