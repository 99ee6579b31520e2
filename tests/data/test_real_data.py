"""Published data, where it lies beside the project: the counts its publishers give, and time."""

import time
from pathlib import Path

import pytest

from baro.data.read import read_dialogues, read_preferences, read_prompts, read_texts

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets do not lie beside the project")


def test_nsmc_in_under_ten_seconds():
    begin = time.perf_counter()
    train = read_texts(SHARED / "nsmc" / "nsmc_train.tsv.gz", columns={"text": "document"})
    assert time.perf_counter() - begin < 10
    assert len(train.rows) == 150_000
    assert len(read_texts(SHARED / "nsmc" / "nsmc_test.tsv.gz", columns={"text": "document"}).rows) == 50_000


def test_songys():
    found = read_dialogues(SHARED / "songys" / "ChatbotData.csv", columns={"instruction": "Q", "output": "A"})
    assert found.description == "alpaca: instruction, output → 11,823 conversations"
    assert not any("\r" in message.content for row in found.rows for message in row.messages)


def test_gpteacher_with_the_extra_key():
    assert len(read_dialogues(SHARED / "gpteacher" / "roleplay.json.gz").rows) == 3_146
    assert len(read_dialogues(SHARED / "gpteacher" / "toolformer.json.gz").rows) == 2_396


def test_conversations():
    rows = read_dialogues(SHARED / "conversations" / "dummy_conversation.json").rows
    assert len(rows) == 500
    assert sum(len(row.messages) for row in rows) == 2_000


@pytest.mark.incident("T18")
def test_hh_rlhf_keeps_every_character_of_its_answers():
    """1,800 pairs, 4 of them with an empty answer."""
    found = read_preferences(SHARED / "hh_rlhf", on_bad_row="skip")
    assert len(found.rows) + found.skipped == 1_800
    assert found.skipped <= 4
    for row in found.rows:
        assert row.prompt[-1].content.endswith("\n\nAssistant:")
        assert all(side[0].content[:1] in (" ", "") for side in (row.chosen, row.rejected))


def test_gsm8k_prompts_keep_their_answers():
    found = read_prompts(SHARED / "gsm8k" / "train.jsonl.gz", columns={"prompt": "question"})
    assert len(found.rows) == 7_473
    assert "####" in found.rows[0].columns["answer"]


def test_names_and_plays():
    assert len(read_texts(SHARED / "makemore" / "names.txt", separate="line").rows) == 32_033
    play = read_texts(SHARED / "shakespeare" / "tinyshakespeare.txt.gz", separate="none").rows
    assert [len(row.text) for row in play] == [1_115_394]
