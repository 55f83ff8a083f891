"""BERTScore with a local model, and what unrelated texts get by it.

BERTScore (Zhang et al., 2020) matches each token to the most similar token of the other text
by the cosine of their contextual vectors. Two unrelated texts already score high, so the
floor is measured on the references themselves and the F1 is also given rescaled, with 0 at
the floor. All values are on a scale of 0 to 100.
"""

from collections import defaultdict
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch
from bert_score.utils import greedy_cos_idf
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

from protscribe.batching import token_budget_batches
from protscribe.errors import InputError
from protscribe.seeds import unit_hash

FLOOR_PARTNERS = 10
"""Each text is compared with up to this many others to find the floor."""

PAIRS_AT_ONCE = 1024
"""Vectors of the texts of so many pairs are held at a time: all of a large table would not fit."""

_BATCH_TOKENS = 8192


class BertScorer:
    """A text encoder that scores pairs of texts.

    Parameters
    ----------
    model
        Hugging Face folder of a BERT-like encoder; its last layer is read.
    device
        Torch device.

    Raises
    ------
    InputError
        If the folder holds no model that transformers can read.

    Notes
    -----
    The matching is that of the bert-score library, without idf weights. The vectors are made
    here: the library batches texts in an order that changes from process to process, and it
    cannot take an empty text with current tokenisers. An empty text scores 0, as in the
    library. Texts longer than the model's maximum are cut; `cut` counts them.
    """

    def __init__(self, model: Path | str, *, device: str = "cpu") -> None:
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
            encoder = AutoModel.from_pretrained(model, local_files_only=True)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{model}: not a Hugging Face folder of a text encoder ({error}); "
                "see evaluation.bertscore_model"
            ) from None
        self.layer: int = encoder.config.num_hidden_layers
        self._cut: set[str] = set()
        self._max_length = min(
            self._tokenizer.model_max_length, encoder.config.max_position_embeddings
        )
        self._device = device
        self._encoder = encoder.float().eval().to(device)
        self._vectors: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def cut(self) -> int:
        """Number of distinct texts that were longer than the model reads."""
        return len(self._cut)

    def hold(self, texts: Sequence[str]) -> None:
        """Encode texts, each distinct one once, and forget those that were held before."""
        self._vectors = {text: self._vectors[text] for text in self._vectors.keys() & set(texts)}
        # Sorted, so that the batches and with them the last digits are always the same.
        new = sorted({text for text in texts if text.strip()} - self._vectors.keys())
        if not new:
            return
        ids = self._tokenizer(new, add_special_tokens=True, truncation=False, verbose=False)
        lengths = map(len, ids["input_ids"])
        self._cut |= {t for t, n in zip(new, lengths, strict=True) if n > self._max_length}
        ids = self._tokenizer(new, truncation=True, max_length=self._max_length)["input_ids"]
        batches = token_budget_batches(
            [len(row) for row in ids], max_tokens=max(_BATCH_TOKENS, self._max_length)
        )
        special = {self._tokenizer.cls_token_id, self._tokenizer.sep_token_id}
        weight: dict[int, float] = defaultdict(lambda: 1.0, dict.fromkeys(special, 0.0))
        for batch in tqdm(batches, desc="BERTScore", mininterval=5):
            padded = self._tokenizer.pad(
                {"input_ids": [ids[i] for i in batch]}, return_tensors="pt"
            )
            with torch.no_grad():
                hidden = self._encoder(
                    padded["input_ids"].to(self._device),
                    attention_mask=padded["attention_mask"].to(self._device),
                ).last_hidden_state.cpu()
            for row, i in enumerate(batch):
                weights = torch.tensor([weight[token] for token in ids[i]])
                self._vectors[new[i]] = hidden[row, : len(ids[i])].clone(), weights

    def score(self, prediction: str, reference: str) -> tuple[float, float, float]:
        """Return precision, recall and F1 of one pair, 0 to 100; both texts must be held.

        A pair is matched alone, so that its score does not depend on the padding of others.
        """
        if not prediction.strip() or not reference.strip():
            return 0.0, 0.0, 0.0
        batch = []
        for text in (reference, prediction):
            vectors, weights = self._vectors[text]
            # The library normalises in place.
            batch += [vectors[None].clone(), torch.ones(1, len(weights)), weights[None].clone()]
        precision, recall, f1 = (100.0 * float(value) for value in greedy_cos_idf(*batch))
        return precision, recall, f1


def score_pairs(
    scorer: BertScorer, predictions: Sequence[str], references: Sequence[str]
) -> dict[str, list[float]]:
    """Return BERTScore precision, recall and F1 of each pair, 0 to 100."""
    pairs = list(zip(predictions, references, strict=True))
    results = []
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = pairs[start : start + PAIRS_AT_ONCE]
        scorer.hold([text for pair in part for text in pair])
        results += [scorer.score(*pair) for pair in part]
    names = ("bertscore_precision", "bertscore_recall", "bertscore_f1")
    return {name: [row[i] for row in results] for i, name in enumerate(names)}


def floor_scores(scorer: BertScorer, references: Sequence[str], seed: int) -> list[float] | None:
    """Return what each reference scores on average against other references.

    Parameters
    ----------
    scorer
        Encodes the texts.
    references
        References of one fold.
    seed
        Seed of the pairing.

    Returns
    -------
    list of float or None
        Mean F1, 0 to 100, of each reference with up to `FLOOR_PARTNERS` different texts: the
        distinct texts are put on a ring in seeded order and each meets those that follow it
        (every step around the ring is a derangement). None where all texts are equal.
    """
    ring = sorted(set(references), key=lambda text: (unit_hash(seed, text), text))
    if len(ring) < 2:
        return None
    partners = min(len(ring) - 1, FLOOR_PARTNERS)
    floor: dict[str, float] = {}
    # What was encoded in other company may differ in the last digit, and the floor must be the
    # same for all predictors.
    scorer.hold([])
    for start in range(0, len(ring), PAIRS_AT_ONCE):
        texts = ring[start : start + PAIRS_AT_ONCE]
        around = [ring[(start + i) % len(ring)] for i in range(len(texts) + partners)]
        scorer.hold(around)
        for i, text in enumerate(texts):
            others = around[i + 1 : i + 1 + partners]
            floor[text] = sum(scorer.score(other, text)[2] for other in others) / partners
    return [floor[text] for text in references]


def rescale(f1: float, floor: float) -> float:
    """Return an F1 on the scale where the floor is 0 and 100 stays 100."""
    return 100.0 * (f1 - floor) / (100.0 - floor)


def signature(model: str, layer: int, model_sha256: str) -> str:
    """Return what makes a BERTScore what it is."""
    return (
        f"bert-score:{metadata.version('bert-score')}|model:{model}|sha256:{model_sha256[:12]}|"
        f"layer:{layer}|idf:no|transformers:{metadata.version('transformers')}"
    )
