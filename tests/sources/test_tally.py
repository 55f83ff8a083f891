from collections import Counter

from protscribe.sources.tally import tally


def test_counts_stand_in_the_order_of_their_reasons():
    assert tally(Counter(["too short", "fragment", "too short"])) == "1 fragment, 2 too short"
    assert tally({}) == "none"
