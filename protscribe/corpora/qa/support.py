"""How close an answer is to its evidence in meaning."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

from protscribe.batching import token_budget_batches
from protscribe.embeddings.encoders import quiet_loading
from protscribe.embeddings.pooling import pooled
from protscribe.errors import InputError

BATCH_TOKENS = 8192


class TextEncoder:
    """A sentence encoder: mean over the tokens of the last layer, as sentence-transformers do.

    Parameters
    ----------
    folder
        Local Hugging Face folder of a BERT-like encoder such as all-MiniLM-L6-v2.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If the folder has no encoder or its weights do not fit.
    """

    def __init__(self, folder: Path | str, *, device: str = "cpu") -> None:
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            with quiet_loading():
                model, info = AutoModel.from_pretrained(
                    folder,
                    dtype=torch.float32,
                    local_files_only=True,
                    use_safetensors=True,
                    output_loading_info=True,
                )
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder}: no text encoder ({error}); see qa.filters.text_encoder"
            ) from None
        # The pooler is not used, so that models without one will do.
        if missing := sorted(key for key in info["missing_keys"] if not key.startswith("pooler")):
            raise InputError(f"{folder}: the text encoder lacks the weights {missing[0]}")
        self._model = model.requires_grad_(False).eval().to(device)
        self._device = device
        self._max_tokens = min(
            self._tokenizer.model_max_length, model.config.max_position_embeddings
        )

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return a unit vector per text.

        Longer texts than the encoder reads are cut. Equal texts are encoded once, and batches
        do not depend on the order of the texts.

        Returns
        -------
        numpy.ndarray
            float32, shape (texts, dimensions).
        """
        distinct = sorted(set(texts))
        ids = self._tokenizer(distinct, truncation=True, max_length=self._max_tokens)["input_ids"]
        vectors: dict[str, np.ndarray] = {}
        batches = token_budget_batches(
            [len(row) for row in ids], max_tokens=max(BATCH_TOKENS, self._max_tokens)
        )
        for batch in tqdm(batches, desc="support", unit="batch", mininterval=5):
            padded = self._tokenizer.pad(
                {"input_ids": [ids[i] for i in batch]}, return_tensors="pt"
            ).to(self._device)
            hidden = self._model(**padded).last_hidden_state
            mean = pooled(hidden, padded["attention_mask"])[0]
            units = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
            vectors.update((distinct[i], units[row]) for row, i in enumerate(batch))
        return np.stack([vectors[text] for text in texts])

    def similarities(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the cosine of each pair of texts."""
        if not pairs:
            return []
        first, second = (self.encode(side) for side in zip(*pairs, strict=True))
        return np.einsum("ij,ij->i", first, second).tolist()
