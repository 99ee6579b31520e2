from random import Random

from baro.core.types import Sequence
from baro.evals import probes


def test_lists_and_refusals_are_seen():
    assert probes.items("1. a\n2) b\n- c\n* d\n• e\nf - g") == 5
    assert probes.refuses("I'm sorry, but as an AI I cannot.")
    assert probes.refuses("죄송하지만 알려 드릴 수 없습니다.")
    assert not probes.refuses("Sure! The cat is red.")


def test_saying_the_same_otherwise_changes_the_text_and_not_the_words():
    assert probes.rephrased("I don't know.") == "I do not know."
    assert probes.rephrased("That is all, I do not know.") == "That is all, I don't know."
    plain = probes.rephrased("The cat sat.")
    assert plain != "The cat sat."
    assert plain.split() == ["The", "cat", "sat."]


def test_spoiled_answers_keep_what_they_should():
    assert sorted(probes.shuffled("a b c d", Random(0)).split()) == ["a", "b", "c", "d"]
    scrambled = probes.scrambled("abcdefgh ijklmnop", Random(0))
    assert [sorted(word) for word in scrambled.split()] == [sorted("abcdefgh"), sorted("ijklmnop")]
    assert probes.twice("Yes. ") == "Yes. Yes. "
    half = probes.cut(Sequence([1, 2, 3, 4, 5, 6, 7], [False, False, False, True, True, True, True], "f:1"))
    assert half == Sequence([1, 2, 3, 4, 5], [False, False, False, True, True], "f:1")
