"""The sum tree against the plain thing: a vector of numbers and its running sums."""

import numpy as np
import pytest
import torch

from atari_dqn.extensions.sum_tree import UNITS, SumTree


class NaiveTree:
    """Values in a vector; a draw adds them up from the left."""

    def __init__(self, num_leaves):
        self.units = np.zeros(num_leaves, dtype=object)  # Python's integers

    def set(self, leaves, value):
        given = {}
        for leaf, number in zip(leaves.tolist(), value.tolist(), strict=True):
            given[leaf] = max(given.get(leaf, 0.0), number)
        for leaf, number in given.items():
            self.units[leaf] = int(np.ceil(number * UNITS))

    def draw(self, unit):
        total, leaves = int(self.units.sum()), []
        for share in unit.tolist():
            place, leaf = min(int(share * float(total)), total - 1), 0
            while place >= self.units[leaf]:
                place -= self.units[leaf]
                leaf += 1
            leaves.append(leaf)
        return leaves


def uniform(count, seed):
    return torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_draws_by_hand():
    tree = SumTree(4, "cpu", fanout=2)
    tree.set(torch.arange(4), torch.tensor([2.0, 1.0, 0.0, 4.0]))
    assert tree.total.item() == 7.0
    # the leaves begin at 0, 2, 3 and 3 of 7
    unit = torch.tensor([0.0, 1.9, 2.0, 2.9, 3.0, 6.9], dtype=torch.float64) / 7
    assert tree.draw(unit).tolist() == [0, 0, 1, 1, 3, 3]
    assert tree.values(torch.tensor([3, 2, 3])).tolist() == [4.0, 0.0, 4.0]


@pytest.mark.parametrize(("num_leaves", "fanout"), [(1, 64), (2, 2), (5, 2), (64, 64), (65, 64), (300, 4), (1000, 8)])
def test_a_random_history_agrees_with_the_naive_tree(num_leaves, fanout):
    generator = torch.Generator().manual_seed(num_leaves)
    tree, naive = SumTree(num_leaves, "cpu", fanout), NaiveTree(num_leaves)
    for turn in range(30):
        leaves = torch.randint(num_leaves, (17,), generator=generator)  # with repetitions
        value = 3 * torch.rand(17, generator=generator) * (torch.rand(17, generator=generator) < 0.7)
        value[0] = 1.0
        tree.set(leaves, value)
        naive.set(leaves, value)
        unit = uniform(23, turn)
        assert tree.draw(unit).tolist() == naive.draw(unit)
        assert tree.total.item() * UNITS == naive.units.sum()
        for below, level in zip(tree.levels, tree.levels[1:], strict=False):
            assert torch.equal(level.view(-1)[: len(below)], below.sum(dim=1)), "each node is the sum of its children"


def test_of_a_repeated_leaf_the_largest_value_counts_in_any_order():
    leaves, value = torch.tensor([7, 1, 7, 7, 1]), torch.tensor([0.25, 2.0, 3.0, 0.0, 0.5])
    for order in (torch.arange(5), torch.arange(5).flip(0)):
        tree = SumTree(9, "cpu", fanout=3)
        tree.set(torch.tensor([7]), torch.tensor([50.0]))
        tree.set(leaves[order], value[order])
        assert tree.values(torch.tensor([1, 7])).tolist() == [2.0, 3.0]
        assert tree.total.item() == 5.0


def test_leaves_of_zero_are_never_drawn_not_even_at_the_ends():
    tree = SumTree(200, "cpu", fanout=8)
    live = torch.arange(3, 197, 7)
    tree.set(torch.arange(200), torch.ones(200))
    tree.set(torch.arange(200), torch.zeros(200))
    tree.set(live, 10 ** (8 * torch.rand(len(live), generator=torch.Generator().manual_seed(0)) - 6))
    ends = torch.tensor([0.0, 1 - 2**-53, 1.0], dtype=torch.float64)
    drawn = tree.draw(torch.cat([ends, uniform(20_000, 1)]))
    assert set(drawn.tolist()) <= set(live.tolist())
    assert drawn[:3].tolist() == [3, live[-1].item(), live[-1].item()]


def test_draws_are_in_proportion():
    """Chi-square: with 49 degrees of freedom 85.4 is exceeded once in a thousand."""
    tree = SumTree(50, "cpu", fanout=4)
    value = torch.rand(50, generator=torch.Generator().manual_seed(1)) + 0.1
    tree.set(torch.arange(50), value)
    counts = torch.bincount(tree.draw(uniform(100_000, 2)), minlength=50).double()
    expected = 100_000 * value.double() / value.double().sum()
    assert ((counts - expected).square() / expected).sum() < 85.4


def test_nothing_drifts():
    tree, generator = SumTree(500, "cpu"), torch.Generator().manual_seed(0)
    for _ in range(200):
        tree.set(torch.randint(500, (32,), generator=generator), 10 ** (9 * torch.rand(32, generator=generator) - 6))
    tree.set(torch.arange(500), torch.zeros(500))
    assert tree.total.item() == 0.0
    tree.set(torch.tensor([123]), torch.tensor([1e-6]))
    assert tree.draw(uniform(5, 0)).tolist() == [123] * 5


def test_values_that_no_sum_holds_are_limited():
    tree = SumTree(1_000_000, "cpu")
    assert [len(level) for level in tree.levels] == [15_625, 245, 4, 1]
    every = torch.arange(1_000_000)
    tree.set(every, torch.full((1_000_000,), float("inf")))
    assert tree.total.item() == pytest.approx(1_000_000 * tree.largest)
    assert 0 <= tree.draw(uniform(1, 0)).item() < 1_000_000
    tree.set(every[:3], torch.tensor([float("nan"), 1e-30, 2.5]))
    assert tree.values(every[:3]).tolist() == [tree.largest, 1 / UNITS, 2.5]


def test_an_empty_change_changes_nothing():
    tree = SumTree(10, "cpu", fanout=2)
    tree.set(torch.tensor([4]), torch.tensor([1.0]))
    tree.set(torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert tree.total.item() == 1.0


def test_state_comes_back():
    tree, generator = SumTree(130, "cpu", fanout=4), torch.Generator().manual_seed(0)
    tree.set(torch.randint(130, (60,), generator=generator), torch.rand(60, generator=generator))
    other = SumTree(130, "cpu", fanout=64)  # however it adds up
    other.set(torch.arange(130), torch.full((130,), 9.0))
    other.load_state_dict({name: value.numpy() for name, value in tree.state_dict().items()})
    assert other.total == tree.total
    unit = uniform(500, 0)
    assert torch.equal(tree.draw(unit), other.draw(unit))
