"""Log-likelihoods of option texts, with everything that they share computed once.

Questions about a protein share its prompt, options share their question. So a prompt up to where
questions differ (the prefix) runs once and leaves its keys and values in a cache; on top of it
runs the tree of what follows: one node for each distinct start of question, lead and option. The
nodes of a tree stand side by side in one row, without padding; a mask lets each see the prefix
and its own ancestors alone, and its position is its depth, so that each gets the very state that
it has in a text of its own. The last token of an option is never read, only predicted: of a
question with one-token options nothing but the question is computed.

The cache holds one prefix at a time and is not repeated for its questions. Repeating it copies
every key once a question and pads questions to one length: with 300 to 460 ids of protein and 30
questions of about 20 that took 1.1 to 1.4 times as long on a CPU. Nor are prefixes batched, which
saves nothing from about 300 ids on.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from protscribe.errors import InputError
from protscribe.models.captioner import Captioner

_NODES = 512
"""Nodes of a tree beyond which attention between strangers, all of it masked, costs more than a
fuller batch saves."""

_LOGIT_ROWS = 256
"""Rows of logits held at a time."""

Ids = Sequence[int]


@dataclass(frozen=True)
class Question:
    """What follows a prefix.

    Parameters
    ----------
    key
        Its name in errors.
    ids
        Ids between the prefix and the options; at least one.
    options
        Ids of each option; at least one each.
    """

    key: str
    ids: Ids
    options: Sequence[Ids]

    @property
    def size(self) -> int:
        """Most nodes that it adds to a tree."""
        return len(self.ids) + sum(len(option) - 1 for option in self.options)


@dataclass(frozen=True)
class Prefix:
    """What all questions about a protein begin with.

    Parameters
    ----------
    ids
        Token ids, placeholders of the protein included; may be empty.
    states
        Encoder states of the protein, shape (its length, encoder width); None if it has no
        placeholders.
    questions
        What is asked after it.
    """

    ids: Ids
    states: Tensor | None
    questions: Sequence[Question]


@dataclass(frozen=True)
class OptionLikelihoods:
    """Summed log-probability of each option, in nats, and the number of its tokens."""

    log_likelihoods: list[float]
    tokens: list[int]


@torch.inference_mode()
def option_log_likelihoods(
    captioner: Captioner, prefix: Prefix, *, batch_tokens: int
) -> list[OptionLikelihoods]:
    """Return the log-likelihood of every option of every question after a prefix.

    Parameters
    ----------
    captioner
        The model, in evaluation mode.
    prefix
        The shared start of the prompts, and the questions.
    batch_tokens
        Most positions in memory: those of the prefix and of the tree on top of it. Besides their
        keys and values there are a mask of tree times all positions and 256 rows of logits.

    Returns
    -------
    list of OptionLikelihoods
        In the order of the questions: for each option the sum of the log-probabilities of its
        ids, each given all that stands before it, from a float32 log-softmax over the whole
        vocabulary, residue tokens included. An end-of-turn is not part of an option.

    Raises
    ------
    InputError
        If a question has no ids or an option none, prefix and question exceed the budget, or the
        language model's attention is not over the whole text.
    """
    _check(captioner, prefix, batch_tokens)
    found: list[OptionLikelihoods] = []
    with captioner.autocast():
        cache = DynamicCache()
        if prefix.ids:
            ids = torch.tensor([list(prefix.ids)], device=captioner.device)
            states = None if prefix.states is None else [prefix.states]
            positions = torch.arange(len(prefix.ids), device=captioner.device)
            _run(captioner, ids, states, torch.ones_like(ids), positions, cache)
        for tree, count in _trees(prefix, batch_tokens):
            hidden = _run_tree(captioner, tree, len(prefix.ids), cache)
            values = _log_probabilities(captioner, hidden, tree)
            for number in range(count):
                totals, tokens = tree.options(number, values)
                found.append(OptionLikelihoods(totals, tokens))
            cache.crop(-len(tree))
    return found


@dataclass
class _Tree:
    """Questions of one prefix, every start that some of them share held once."""

    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    """At which node which id is to be predicted."""
    _ends: list[list[int]] = field(default_factory=list)
    """For each question and option, where its ids end in `asked`."""
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, question: Question) -> None:
        end = -1
        for token in question.ids:
            end = self._child(end, token)
        ends = [len(self.asked)]
        for option in question.options:
            node = end
            for token in option[:-1]:
                self.asked.append((node, token))
                node = self._child(node, token)
            self.asked.append((node, option[-1]))
            ends.append(len(self.asked))
        self._ends.append(ends)

    def options(self, number: int, values: np.ndarray) -> tuple[list[float], list[int]]:
        """Return sums and lengths of a question's options from the values of `asked`."""
        ends = self._ends[number]
        spans = list(pairwise(ends))
        return [float(values[a:b].sum()) for a, b in spans], [b - a for a, b in spans]

    def sees(self) -> np.ndarray:
        """Return which node sees which: itself and its ancestors; shape (nodes, nodes)."""
        seen = np.eye(len(self), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                # A parent has a smaller number, so its row is whole already.
                seen[node] |= seen[parent]
        return seen

    def _child(self, parent: int, token: int) -> int:
        key = (parent, token)
        if key not in self._children:
            self._children[key] = len(self.ids)
            self.ids.append(token)
            self.parents.append(parent)
            self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
        return self._children[key]


def _trees(prefix: Prefix, batch_tokens: int) -> Iterator[tuple[_Tree, int]]:
    """Yield trees of consecutive questions, and how many questions each has."""
    room = min(batch_tokens - len(prefix.ids), _NODES)
    tree, count = _Tree(), 0
    for question in prefix.questions:
        if count and len(tree) + question.size > room:
            yield tree, count
            tree, count = _Tree(), 0
        tree.add(question)
        count += 1
    if count:
        yield tree, count


def _run(
    captioner: Captioner,
    ids: Tensor,
    states: Sequence[Tensor] | None,
    mask: Tensor,
    positions: Tensor,
    cache: DynamicCache,
) -> Tensor:
    """Return the last states of one row, shape (positions, width), and add it to the cache."""
    return captioner.causal_model.get_decoder()(
        inputs_embeds=captioner.embed(ids, torch.ones_like(ids), states),
        attention_mask=mask,
        position_ids=positions.unsqueeze(0),
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state[0]


def _run_tree(captioner: Captioner, tree: _Tree, before: int, cache: DynamicCache) -> Tensor:
    device = captioner.device
    seen = np.concatenate([np.ones((len(tree), before), dtype=bool), tree.sees()], axis=1)
    kind = captioner.causal_model.get_input_embeddings().weight.dtype
    # Added to the scores of attention; every kind of attention takes this form of a mask.
    mask = torch.zeros(seen.shape, dtype=kind)
    mask.masked_fill_(~torch.from_numpy(seen), torch.finfo(kind).min)
    ids = torch.tensor([tree.ids], device=device)
    positions = before + torch.tensor(tree.depths, device=device)
    return _run(captioner, ids, None, mask.to(device)[None, None], positions, cache)


def _log_probabilities(captioner: Captioner, hidden: Tensor, tree: _Tree) -> np.ndarray:
    """Return the log-probability of each asked id, float64, shape (asked,)."""
    at, tokens = np.array(tree.asked).T
    # Where several ids are asked at a node, its logits are computed once.
    nodes, rows = np.unique(at, return_inverse=True)
    values = np.empty(len(at))
    for start in range(0, len(nodes), _LOGIT_ROWS):
        part = hidden[torch.from_numpy(nodes[start : start + _LOGIT_ROWS]).to(hidden.device)]
        logs = captioner.logits(part).float().log_softmax(dim=-1)
        here = (rows >= start) & (rows < start + _LOGIT_ROWS)
        wanted = torch.from_numpy(rows[here] - start), torch.from_numpy(tokens[here])
        values[here] = logs[wanted[0].to(logs.device), wanted[1].to(logs.device)].cpu().numpy()
    return values


def _check(captioner: Captioner, prefix: Prefix, batch_tokens: int) -> None:
    model = captioner.causal_model
    longest = 0
    for question in prefix.questions:
        if not question.ids or not question.options or not all(question.options):
            raise InputError(f"question {question.key}: there is nothing to score or to score from")
        needed = len(prefix.ids) + question.size
        if needed > batch_tokens:
            raise InputError(
                f"question {question.key}: needs {needed} positions, {len(prefix.ids)} of them up "
                f"to where it begins, but a batch has {batch_tokens}; raise the token budget"
            )
        longest = max(
            longest, len(prefix.ids) + len(question.ids) + max(map(len, question.options))
        )
    kinds = set(getattr(model.config, "layer_types", None) or ()) - {"full_attention"}
    window = getattr(model.config, "sliding_window", None)
    positions = inspect.signature(model.get_decoder().forward).parameters
    if kinds or (window and longest > window) or "position_ids" not in positions:
        raise InputError(
            f"language model of type {model.config.model_type}: scoring options needs attention "
            "over the whole text and positions that can be given; choose another model"
        )
