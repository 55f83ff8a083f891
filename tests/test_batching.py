import pytest
from hypothesis import given
from hypothesis import strategies as st

from protscribe.batching import padding_fraction, token_budget_batches
from protscribe.errors import InputError

LENGTHS = st.lists(st.integers(1, 60), max_size=60)


@given(LENGTHS, st.integers(60, 300), st.none() | st.integers(1, 9), st.none() | st.integers(0, 9))
def test_each_index_once_and_within_the_budget(lengths, budget, max_items, seed):
    batches = token_budget_batches(
        lengths, max_tokens=budget, max_items=max_items, shuffle_seed=seed
    )
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= budget
        assert len(batch) <= (max_items or len(lengths))


def test_longest_batch_comes_first_without_a_seed():
    assert token_budget_batches([1, 9, 5], max_tokens=9) == [[1], [2], [0]]


def test_seed_decides_the_order():
    lengths = list(range(1, 50))
    plans = [token_budget_batches(lengths, max_tokens=100, shuffle_seed=s) for s in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]


def test_bucketing_pads_less_than_file_order():
    lengths = [10, 100] * 20
    bucketed = token_budget_batches(lengths, max_tokens=400)
    in_order = [list(range(i, i + 4)) for i in range(0, 40, 4)]
    assert padding_fraction(lengths, bucketed) == 0
    assert padding_fraction(lengths, in_order) == pytest.approx(0.45)
    assert padding_fraction(lengths, in_order[:1]) == pytest.approx(0.45)
    assert padding_fraction(lengths, []) == 0


def test_item_above_the_budget_is_an_error():
    with pytest.raises(InputError, match="an item of 7 tokens does not fit into batches of 6"):
        token_budget_batches([7], max_tokens=6)
