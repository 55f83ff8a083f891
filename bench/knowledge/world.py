"""A small world in which motifs decide annotations, and nothing is as common as anything else."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from protscribe.atomic import sha256_file, write_json
from protscribe.corpora.knowledge import wording
from protscribe.schemas import TABLES
from protscribe.tables import write_table

BACKGROUND, TELLING = "ADEGIKLNPQRSTV", "CFHMWY"
"""Residues that say nothing, and those that motifs are made of."""
KIND = "keyword"
MOTIF = 2
"""Residues of a motif. Their order counts, since another motif has the same ones reversed."""
COMMONEST, RAREST = 0.6, 0.025
"""Least frequency of the commonest term among families, and least frequency of any."""
LARGEST_FAMILY = 40
CHANGED, LOST = 0.06, 0.15
"""Residues by which a member differs from its family's ancestor, and terms that it lacks."""
CHAT = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH = 64


class Protein(NamedTuple):
    """A protein, its family, and the terms that its motifs stand for."""

    accession: str
    family: int
    fold: str
    sequence: str
    terms: frozenset[int]


class World(NamedTuple):
    """Names of the terms, the commonest first, and all proteins."""

    names: list[str]
    proteins: list[Protein]

    def of(self, fold: str) -> list[Protein]:
        """Return the proteins of a fold."""
        return [protein for protein in self.proteins if protein.fold == fold]


def make_world(seed: int, terms: int, training: int, validation: int) -> World:
    """Make families until both folds have as many proteins as asked for.

    The frequency of a term among families falls with its rank (Zipf), some families are studied
    far better than others, and so annotated with far more terms. Family sizes are those of a
    Pareto distribution: most have one member or two, some have dozens. A family lies in one fold.

    Parameters
    ----------
    seed
        Decides everything.
    terms
        How many there are.
    training, validation
        Proteins of each fold; the last family is cut.
    """
    rng = random.Random(seed)
    names = _names(rng, terms)
    motifs = _motifs(rng, terms)
    wanted = {"train": training, "validation": validation}
    proteins: list[Protein] = []
    family = 0
    while sum(wanted.values()):
        fold = rng.choices(list(wanted), weights=list(wanted.values()))[0]
        own = _family_terms(rng, terms)
        ancestor = _ancestor(rng, own, motifs)
        size = min(int(rng.paretovariate(1.3)), LARGEST_FAMILY, wanted[fold])
        for _ in range(size):
            kept = frozenset(t for t in own if rng.random() >= LOST) or frozenset(own[:1])
            sequence = _member(rng, ancestor, kept, motifs)
            name = f"P{len(proteins):05d}"
            proteins.append(Protein(name, family, fold, sequence, kept))
        wanted[fold] -= size
        family += 1
    return World(names, proteins)


def write_world(folder: Path, world: World) -> None:
    """Write the tables that the knowledge corpus and both stages of training read."""
    proteins, split, documents, triples = [], [], [], []
    for protein in world.proteins:
        base = {"accession": protein.accession, "fold": protein.fold}
        proteins.append(_row("proteins", accession=protein.accession, sequence=protein.sequence))
        split.append(_row("split", cluster=f"F{protein.family:05d}", **base))
        document = {"id": protein.accession, "corpus": "sequences", "sequence": protein.sequence}
        documents.append(_row("pretraining", fold=protein.fold, **document))
        triples += [
            _row("knowledge_triples", relation=KIND, annotation=term_id(term), **base)
            for term in sorted(protein.terms)
        ]
    annotations = [
        _row("knowledge_annotations", id=term_id(term), kind=KIND, name=name, source="bench")
        for term, name in enumerate(world.names)
    ]
    tables: dict[str, list[dict[str, Any]]] = {
        "proteins": proteins,
        "split": split,
        "pretraining": documents,
        "knowledge_triples": triples,
        "knowledge_annotations": annotations,
        "knowledge_edges": [],
        "knowledge_chains": [],
    }
    for name, rows in tables.items():
        write_table(folder / f"{name}.parquet", name, rows)


def term_id(term: int) -> str:
    """Return the id of a term as an annotation."""
    return f"KW:{term:03d}"


def write_language_model(folder: Path, names: list[str], seed: int) -> None:
    """Write a random LLaMA of 2 layers whose tokenizer has the words of our templates.

    Parameters
    ----------
    folder
        As `get_model` leaves one.
    names
        Of the terms, each of which becomes a token or two.
    seed
        Decides the weights, which are large enough for words to differ.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.train_from_iterator(
        _sentences(names),
        trainers.BpeTrainer(
            vocab_size=1024,
            special_tokens=special,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.mul_(10 if "embed_tokens" in name else 5)
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    weights = {n: w.detach() for n, w in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    checksum = sha256_file(folder / "model.safetensors")
    facts = {"name": "bench", "format": "transformers", "weights_sha256": checksum}
    write_json(folder / "manifest.json", facts)


def _row(table: str, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(TABLES[table].schema.names) | values


def _sentences(names: list[str]) -> Iterator[str]:
    for name in names:
        yield from wording.every_wording(name)


def _names(rng: random.Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.choice(letters) for letters in ("bdkmptvz", "aiou") * 2)] = None
    return list(found)


def _motifs(rng: random.Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.sample(TELLING, MOTIF))] = None
    return list(found)


def _family_terms(rng: random.Random, terms: int) -> list[int]:
    studied = rng.lognormvariate(0, 0.6)
    while True:
        chances = (max(COMMONEST / (rank + 1), RAREST) * studied for rank in range(terms))
        if own := [t for t, chance in enumerate(chances) if rng.random() < min(chance, 0.95)]:
            rng.shuffle(own)
            return own


def _ancestor(rng: random.Random, own: list[int], motifs: list[str]) -> list[str | int]:
    """Return residues, none of them a motif by chance, and terms in the places of motifs."""
    while True:
        pieces: list[str | int] = list(rng.choices(BACKGROUND, k=rng.randint(30, 40)))
        places = sorted(rng.sample(range(len(pieces)), len(own)), reverse=True)
        for place, term in zip(places, own, strict=True):
            pieces.insert(place, term)
        whole = "".join(piece if isinstance(piece, str) else motifs[piece] for piece in pieces)
        if _is_right(whole, frozenset(own), motifs):
            return pieces


def _member(
    rng: random.Random, ancestor: list[str | int], kept: frozenset[int], motifs: list[str]
) -> str:
    """Return a descendant with the motifs of the terms it kept, once each, and no other motif."""
    while True:
        letters = []
        for piece in ancestor:
            if isinstance(piece, str):
                letters.append(rng.choice(BACKGROUND) if rng.random() < CHANGED else piece)
            elif piece in kept:
                letters.append(motifs[piece])
            else:
                letters += rng.choices(BACKGROUND, k=MOTIF)
        if _is_right(sequence := "".join(letters), kept, motifs):
            return sequence


def _is_right(sequence: str, terms: frozenset[int], motifs: list[str]) -> bool:
    """Return whether a sequence has the motifs of its terms once each, and no other."""
    return all(sequence.count(motif) == (t in terms) for t, motif in enumerate(motifs))
