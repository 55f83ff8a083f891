"""Protein encoders behind one protocol: letters in, hidden states of one layer out.

Letters are mapped to ids here, one to one, and not by a tokenizer: the one of transformers
takes a run of unknown letters for a single token, which would shift every residue after it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

import torch
import transformers
from torch import Tensor

from protscribe.errors import InputError
from protscribe.provenance import model_manifest

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

SpecialTokens = bool | Literal["end"]
"""Which rows stay beside those of the residues: see `kept_rows`."""


class ProteinEncoder(Protocol):
    """A frozen protein language model."""

    name: str
    hidden_size: int
    layers: int

    def encode(self, sequences: Sequence[str], layer: int) -> list[Tensor]:
        """Return the hidden states of each sequence.

        Parameters
        ----------
        sequences
            Upper-case letters; they are padded to the longest and run as one batch.
        layer
            0 is the embedding, `layers` the last one, which carries the final norm; negative
            numbers count from the end. Layers above it are not computed.

        Returns
        -------
        list of Tensor
            Shape (residues + 2, hidden_size) each, on the CPU: the first row belongs to the
            start token, the last to the end token.

        Raises
        ------
        InputError
            If a character is no upper-case letter, or the layer does not exist.
        """
        ...


def load_encoder(folder: Path, *, device: str, dtype: str) -> ProteinEncoder:
    """Load the encoder in a folder that `get_model` made.

    Parameters
    ----------
    folder
        A Hugging Face folder of an ESM model, or one with a fair-esm ``checkpoint.pt``.
    device
        As torch names it, e.g. ``cpu`` or ``cuda``.
    dtype
        ``float32`` or ``bfloat16``, for the weights and the hidden states.

    Raises
    ------
    InputError
        If the folder holds no such model or its weights do not fit.
    """
    from protscribe.embeddings.fair_esm import FairEsmEncoder

    manifest = model_manifest(folder)
    if dtype not in DTYPES:
        raise InputError(f"encoder.dtype is {dtype!r}; allowed: {', '.join(DTYPES)}")
    encoder = FairEsmEncoder if manifest["format"] == "fair-esm" else TransformersEncoder
    return encoder(Path(folder), manifest["name"], torch.device(device), DTYPES[dtype])


def resolve_layer(layer: int, layers: int, option: str) -> int:
    """Return a layer number counted from the start, 0 for the embedding.

    Raises
    ------
    InputError
        If the model has no such layer; names the option.
    """
    if not -layers - 1 <= layer <= layers:
        raise InputError(f"{option} is {layer}; the model has layers 0 to {layers}")
    return layer if layer >= 0 else layers + 1 + layer


def kept_rows(special_tokens: SpecialTokens) -> slice:
    """Return which rows of a protein's hidden states are kept, of (residues + 2) in all.

    Parameters
    ----------
    special_tokens
        True keeps the start and the end token, False neither. ``end`` keeps the end token
        alone, which is what Protein2Text calls the feature ``patch``.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if special_tokens == "end":
        return slice(1, None)
    if not isinstance(special_tokens, bool):
        raise InputError(f"encoder.special_tokens is {special_tokens!r}; allowed: true, false, end")
    return slice(None) if special_tokens else slice(1, -1)


class TransformersEncoder:
    """An `EsmModel` of transformers."""

    def __init__(self, folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> None:
        self.name = name
        with quiet_loading():
            model, info = transformers.EsmModel.from_pretrained(
                folder, add_pooling_layer=False, dtype=torch.float32, output_loading_info=True
            )
        # The contact head takes no part in hidden states; frequencies follow from the sizes.
        missing = [
            key
            for key in info["missing_keys"]
            if not key.startswith("contact_head.") and not key.endswith("inv_freq")
        ]
        if missing or info["mismatched_keys"]:
            wrong = sorted(missing) + sorted(str(key) for key in info["mismatched_keys"])
            raise InputError(f"{folder}: the weights do not fit an ESM encoder: {wrong[0]}")
        # Rounded to bfloat16, the frequencies would blur the positions of residues.
        frequencies = {key: value for key, value in model.named_buffers() if "inv_freq" in key}
        self.model = model.to(dtype)
        for key, value in frequencies.items():
            parent, _, attribute = key.rpartition(".")
            setattr(self.model.get_submodule(parent), attribute, value)
        self.model = self.model.to(device).eval()
        self.hidden_size: int = self.model.config.hidden_size
        self.layers: int = self.model.config.num_hidden_layers
        self.device = device
        self.letters = read_vocabulary(folder / "vocab.txt")

    @torch.inference_mode()
    def encode(self, sequences: Sequence[str], layer: int) -> list[Tensor]:
        """Return the hidden states of each sequence; see `ProteinEncoder.encode`."""
        stop = resolve_layer(layer, self.layers, "encoder.layer")
        ids = letters_to_ids(sequences, self.letters).to(self.device)
        mask = (ids != self.letters["<pad>"]).long()
        with self._shortened(stop):
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return split_rows(hidden, sequences)

    @contextmanager
    def _shortened(self, stop: int) -> Iterator[None]:
        encoder = self.model.encoder
        layers, norm = encoder.layer, encoder.emb_layer_norm_after
        encoder.layer = layers[:stop]
        if stop < self.layers:
            encoder.emb_layer_norm_after = None
        try:
            yield
        finally:
            encoder.layer, encoder.emb_layer_norm_after = layers, norm


def read_vocabulary(path: Path) -> dict[str, int]:
    """Read the ids of an ESM vocabulary, one token a line.

    Raises
    ------
    InputError
        If the file is missing or lacks one of the special tokens or residues.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; an ESM model needs its vocabulary")
    tokens = path.read_text(encoding="utf-8").split()
    letters = {token: index for index, token in enumerate(tokens)}
    needed = ["<cls>", "<pad>", "<eos>", "<unk>", *"ACDEFGHIKLMNPQRSTVWY"]
    if missing := [token for token in needed if token not in letters]:
        raise InputError(f"{path}: not the vocabulary of an ESM model: lacks {missing[0]}")
    return letters


def letters_to_ids(sequences: Sequence[str], letters: Mapping[str, int]) -> Tensor:
    """Return the ids of sequences between start and end token, padded on the right.

    A letter that the vocabulary lacks (J, leucine or isoleucine) becomes ``<unk>``.

    Returns
    -------
    Tensor
        int64, shape (sequences, longest + 2).

    Raises
    ------
    InputError
        If a character is no upper-case letter; names it and its position.
    """
    width = max(map(len, sequences), default=0) + 2
    ids = torch.full((len(sequences), width), letters["<pad>"], dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        for position, letter in enumerate(sequence, 1):
            if not "A" <= letter <= "Z":
                raise InputError(
                    f"sequence {sequence[:20]}...: character {letter!r} at position {position} "
                    "is not an upper-case letter; remove gaps and stops, write letters in capitals"
                )
        residues = [letters.get(letter, letters["<unk>"]) for letter in sequence]
        tokens = [letters["<cls>"], *residues, letters["<eos>"]]
        ids[row, : len(tokens)] = torch.tensor(tokens)
    return ids


def split_rows(hidden: Tensor, sequences: Sequence[str]) -> list[Tensor]:
    """Cut padded hidden states into one CPU tensor (residues + 2, dimensions) per sequence."""
    hidden = hidden.cpu()
    return [hidden[row, : len(sequence) + 2] for row, sequence in enumerate(sequences)]


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence what transformers says about weights that are left out on purpose."""
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
