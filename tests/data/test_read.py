"""Rows as records: every format by hand, the rule for plain strings, and errors that name file and row."""

import json

import pytest

from baro.core.errors import ConfigError, DataError
from baro.data.read import read_dialogues, read_preferences, read_prompts, read_texts, write_jsonl
from baro.data.records import Message

U, A, S = (lambda text, role=role: Message(role, text) for role in ("user", "assistant", "system"))


def turn(role, content):
    return {"role": role, "content": content}


def said(who, value):
    return {"from": who, "value": value}


@pytest.fixture
def written(tmp_path):
    """A function that writes rows and returns the file."""

    def write(*rows, name="rows.jsonl"):
        write_jsonl(tmp_path / name, rows)
        return tmp_path / name

    return write


# --- texts -----------------------------------------------------------------------------------------------------------


def test_texts(written):
    found = read_texts(written({"text": "one", "id": 1}, {"text": " 둘\n"}))
    assert [row.text for row in found.rows] == ["one", " 둘\n"]
    assert [row.where.rsplit("/", 1)[-1] for row in found.rows] == ["rows.jsonl:1", "rows.jsonl:2"]
    assert found.description == "text → 2 texts"
    assert found.skipped == 0


def test_a_rendered_prompt_beside_alpaca_is_a_text_only_when_texts_are_asked_for(written):
    row = {"instruction": "a", "input": "", "output": "b", "text": "### a\n### b"}
    assert read_texts(written(row)).rows[0].text == "### a\n### b"
    found = read_dialogues(written(row))
    assert found.rows[0].messages == (U("a"), A("b"))
    assert (
        found.description == "alpaca: instruction, input, output (text: a rendered prompt, not used) → 1 conversations"
    )


def test_columns_are_named_by_the_user(tmp_path):
    (tmp_path / "a.tsv").write_text("id\tnotes\n1\t좋아요\n")
    assert read_texts(tmp_path / "a.tsv", columns={"text": "notes"}).rows[0].text == "좋아요"
    with pytest.raises(DataError, match=r"a\.tsv:2: found columns id, notes; expected `text`\. Name the column"):
        read_texts(tmp_path / "a.tsv")
    with pytest.raises(DataError, match="expected 'body', which was named for 'text'"):
        read_texts(tmp_path / "a.tsv", columns={"text": "body"})


ANSWERED = [turn("user", "a"), turn("assistant", "b")]


# --- conversations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "messages", "plain"),
    [
        ({"instruction": "a", "input": "b", "output": "c"}, (U("a\n\nb"), A("c")), False),
        ({"instruction": "a", "input": "", "output": "c"}, (U("a"), A("c")), False),
        ({"instruction": "a", "input": None, "output": "c", "example_input": "x"}, (U("a"), A("c")), False),
        ({"instruction": "", "input": "b", "output": "c"}, (U("b"), A("c")), False),
        (
            {"instruction": "a", "output": "c", "system": "s", "history": [["q", "r"], ["t", "u"]]},
            (S("s"), U("q"), A("r"), U("t"), A("u"), U("a"), A("c")),
            False,
        ),
        ({"instruction": "a", "output": "c", "system": "", "history": []}, (U("a"), A("c")), False),
        ({"prompt": "a ", "completion": " b"}, (U("a "), A(" b")), True),
        ({"prompt": "", "completion": "b"}, (U(""), A("b")), True),
        ({"prompt": "a", "completion": "b", "plain": False}, (U("a"), A("b")), False),
        ({"prompt": [turn("user", "a")], "completion": [turn("assistant", "b")]}, (U("a"), A("b")), False),
        ({"prompt": [turn("user", "a")], "completion": "b"}, (U("a"), A("b")), False),
        ({"messages": [turn("system", ""), turn("user", "a"), turn("assistant", "b")]}, (S(""), U("a"), A("b")), False),
        (
            {"messages": [turn("user", [{"type": "text", "text": "a"}]), turn("assistant", "b")]},
            (U("a"), A("b")),
            False,
        ),
        ({"conversations": [said("human", "a"), said("gpt", "b")], "id": 3}, (U("a"), A("b")), False),
        (
            {"conversations": [said("system", "s"), said("user", "a"), said("assistant", "b"), said("human", "c")]},
            (S("s"), U("a"), A("b"), U("c")),
            False,
        ),
        ({"conversations": [said("human", "a"), said("gpt", "b")], "system": "s"}, (S("s"), U("a"), A("b")), False),
    ],
)
def test_conversations(written, row, messages, plain):
    found = read_dialogues(written(row)).rows[0]
    assert found.messages == messages
    assert found.plain is plain


def test_a_file_of_several_formats_is_described(written):
    alpaca = {"instruction": "a", "input": "", "output": "b"}
    found = read_dialogues(written(alpaca, alpaca, {"prompt": "a", "completion": "b"}))
    assert found.description == (
        "alpaca: instruction, input, output → 2 conversations; prompt, completion (plain strings) → 1 conversations"
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"instruction": "a"}, "found columns instruction; expected `messages`, `conversations`, `prompt` with"),
        ({"text": "a"}, "Rows of `text` alone are for pre-training."),
        ({"instruction": "a", "output": " \n"}, "output is empty; expected text."),
        ({"instruction": " ", "input": "", "output": "b"}, "instruction is empty"),
        ({"instruction": "a", "output": 3}, "output is a number; expected a string."),
        ({"instruction": "a", "output": None}, "output is nothing (null); expected a string."),
        ({"instruction": "a", "output": "b", "history": [["q"]]}, "history[0] is a list; expected [question, answer]."),
        ({"messages": []}, "messages is an empty list; expected a list of turns."),
        ({"messages": "[{'role': 'user'}]"}, "messages is a string; expected a list of turns."),
        ({"messages": ["a"]}, "messages[0] is a string; expected an object with role and content."),
        ({"messages": [{"role": "user"}]}, "messages[0] has role; expected role and content, or from and value."),
        ({"messages": [turn("tool", "a")]}, "messages[0].role is 'tool'; expected one of system, user, human"),
        ({"messages": [turn("user", "a"), turn("assistant", None)]}, "messages[1].content is nothing (null)"),
        ({"messages": [turn("user", "a"), turn("assistant", "")]}, "messages[1].content is empty"),
        ({"messages": [turn("user", "a")]}, "no turn of the assistant; expected at least one to learn."),
        ({"messages": [turn("assistant", "a"), turn("user", "b")]}, "the first turn is the assistant's; expected"),
        ({"conversations": [said("human", "a"), said("gpt", 1)]}, "conversations[1].value is a number"),
        ({"prompt": "a", "completion": [turn("user", "b")]}, "completion has turns of user; expected the assistant's"),
        ({"prompt": "a", "completion": "b", "plain": "maybe"}, "plain is 'maybe'; expected true or false."),
        ({"prompt": "", "completion": "b", "plain": False}, "prompt is empty"),
    ],
)
def test_a_bad_conversation_is_named_with_its_file_and_row(written, row, problem):
    good = {"instruction": "a", "output": "b"}
    with pytest.raises(DataError) as error:
        read_dialogues(written(good, row))
    assert "rows.jsonl:2: " in str(error.value)
    assert problem in str(error.value)


def test_half_characters_are_found(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "a", "completion": "b \\ud83d"}')
    with pytest.raises(DataError, match=r"a\.jsonl:1: completion holds, at character 3, .* or half a character"):
        read_dialogues(tmp_path / "a.jsonl")
    (tmp_path / "a.csv").write_bytes(b"prompt,completion\na," + "한글".encode("cp949"))
    with pytest.raises(DataError, match=r"a\.csv:2: completion holds, at character 1, a byte that is not UTF-8"):
        read_dialogues(tmp_path / "a.csv")


# --- preferences -----------------------------------------------------------------------------------------------------

ULTRA = [turn("user", "q"), turn("assistant", "good")], [turn("user", "q"), turn("assistant", "bad")]


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected", "plain"),
    [
        ({"prompt": "q", "chosen": " a", "rejected": " b"}, (U("q"),), (A(" a"),), (A(" b"),), True),
        ({"prompt": "q", "chosen": "a", "rejected": ""}, (U("q"),), (A("a"),), (A(""),), True),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "plain": "false"}, (U("q"),), (A("a"),), (A("b"),), False),
        (
            {"prompt": [turn("user", "q")], "chosen": [turn("assistant", "a")], "rejected": [turn("assistant", "b")]},
            *((U("q"),), (A("a"),), (A("b"),), False),
        ),
        ({"prompt": [turn("user", "q")], "chosen": "a", "rejected": "b"}, (U("q"),), (A("a"),), (A("b"),), False),
        ({"prompt": "q", "chosen": ULTRA[0], "rejected": ULTRA[1]}, (U("q"),), (A("good"),), (A("bad"),), False),
        (
            {"prompt": "q", "system": "s", "chosen": ULTRA[0], "rejected": ULTRA[1]},
            *((S("s"), U("q")), (A("good"),), (A("bad"),), False),
        ),
        ({"chosen": ULTRA[0], "rejected": ULTRA[1]}, (U("q"),), (A("good"),), (A("bad"),), False),
        (
            {"instruction": "q", "input": "i", "chosen": "a", "rejected": "b"},
            *((U("q\n\ni"),), (A("a"),), (A("b"),), False),
        ),
        (
            {"system": "s", "question": "q", "chosen": "a", "rejected": "b"},
            *((S("s"), U("q")), (A("a"),), (A("b"),), False),
        ),
        (
            {"conversations": [said("human", "q")], "chosen": said("gpt", "a"), "rejected": said("gpt", "b")},
            *((U("q"),), (A("a"),), (A("b"),), False),
        ),
    ],
)
def test_preferences(written, row, prompt, chosen, rejected, plain):
    found = read_preferences(written(row)).rows[0]
    assert (found.prompt, found.chosen, found.rejected, found.plain) == (prompt, chosen, rejected, plain)
    assert found.margin is None


@pytest.mark.parametrize(("given", "margin"), [(1.5, 1.5), (2, 2.0), ("0.5", 0.5), (None, None), ("", None)])
def test_margin(written, given, margin):
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "margin": given}
    assert read_preferences(written(row)).rows[0].margin == margin


@pytest.mark.incident("T18")
def test_answers_that_begin_alike_lose_no_token_to_the_prompt(written):
    """trl#6433: "The answer is " is shared and still belongs to the answers."""
    talk = "\n\nHuman: 2+2?\n\nAssistant:"
    strings = {"chosen": f"{talk} The answer is 4.", "rejected": f"{talk} The answer is 5."}
    found = read_preferences(written(strings)).rows[0]
    assert found.plain
    assert (found.prompt, found.chosen, found.rejected) == (
        (U(talk),),
        (A(" The answer is 4."),),
        (A(" The answer is 5."),),
    )
    as_turns = read_preferences(written(strings), plain=False).rows[0]
    assert (as_turns.prompt, as_turns.chosen) == ((U("2+2?"),), (A("The answer is 4."),))
    unmarked = read_preferences(written({"chosen": "The sky is blue", "rejected": "The sky is green"})).rows[0]
    assert (unmarked.prompt, unmarked.chosen[0].content) == ((), "The sky is blue")


@pytest.mark.incident("T18")
def test_the_shared_prompt_of_turns_stops_before_an_answer(written):
    """One answer is the start of the other, and the shared first answer is not prompt in one of them alone."""
    start = [turn("user", "q"), turn("assistant", "a")]
    more = [*start, turn("user", "r"), turn("assistant", "b")]
    found = read_preferences(written({"chosen": more, "rejected": start})).rows[0]
    assert (found.prompt, found.chosen, found.rejected) == ((U("q"),), (A("a"), U("r"), A("b")), (A("a"),))
    other = [*start, turn("user", "else"), turn("assistant", "c")]
    found = read_preferences(written({"chosen": more, "rejected": other})).rows[0]
    assert (found.prompt, found.chosen) == ((U("q"),), (A("a"), U("r"), A("b")))
    later = [*more[:-1], turn("assistant", "d")]
    found = read_preferences(written({"chosen": more, "rejected": later})).rows[0]
    assert (found.prompt, found.rejected) == ((U("q"), A("a"), U("r")), (A("d"),))
    same = read_preferences(written({"chosen": start, "rejected": start})).rows[0]
    assert (same.prompt, same.chosen, same.rejected) == ((U("q"),), (A("a"),), (A("a"),))


@pytest.mark.incident("T18")
def test_strings_part_at_the_last_answer_both_share_the_start_of(written):
    talk = "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:"
    found = read_preferences(written({"chosen": talk + " x", "rejected": talk + " y"})).rows[0]
    assert found.prompt == (U(talk),)
    parted = {"chosen": talk + " x", "rejected": "\n\nHuman: q\n\nAssistant: b"}
    found = read_preferences(written(parted)).rows[0]
    assert found.prompt == (U("\n\nHuman: q\n\nAssistant:"),)
    assert found.chosen == (A(" a\n\nHuman: r\n\nAssistant: x"),)
    assert read_preferences(written(parted), plain=False).rows[0].chosen == (A("a"), U("r"), A("x"))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": "q", "chosen": "a"}, "found columns prompt, chosen; expected `chosen` and `rejected`."),
        ({"prompt": "q", "chosen": "", "rejected": "b"}, "chosen is empty"),
        ({"prompt": "q", "chosen": "a", "rejected": 3}, "rejected is a number"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "margin": "big"}, "margin is 'big'; expected a finite"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "margin": True}, "margin is True"),
        ({"chosen": ULTRA[0], "rejected": [turn("user", "r"), ULTRA[1][1]]}, "do not begin with the same prompt"),
        ({"chosen": ULTRA[0][1:], "rejected": ULTRA[1][1:]}, "do not begin with the same prompt"),
        ({"prompt": "q", "chosen": [turn("user", "a")], "rejected": "b"}, "chosen has turns of user; expected the"),
        ({"prompt": "q", "chosen": ULTRA[0][:1], "rejected": "b"}, "chosen has turns of nobody; expected the"),
        ({"prompt": [turn("assistant", "q")], "chosen": "a", "rejected": "b"}, "the first turn is the assistant's"),
        ({"messages": ANSWERED, "chosen": "a", "rejected": "b"}, "the prompt ends with the assistant's turn; expected"),
    ],
)
def test_a_bad_preference_is_named_with_its_file_and_row(written, row, problem):
    with pytest.raises(DataError) as error:
        read_preferences(written(row))
    assert "rows.jsonl:1: " in str(error.value)
    assert problem in str(error.value)


# --- prompts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "messages", "columns", "plain"),
    [
        ({"prompt": "q", "answer": 4, "plain_text": 1}, (U("q"),), {"answer": 4, "plain_text": 1}, False),
        ({"prompt": "q", "plain": True}, (U("q"),), {}, True),
        ({"prompt": [turn("system", "s"), turn("user", "q")], "k": [1]}, (S("s"), U("q")), {"k": [1]}, False),
        ({"prompt": "q", "system": "s"}, (S("s"), U("q")), {}, False),
        (
            {"messages": [turn("user", "q"), turn("assistant", "a"), turn("user", "r")]},
            (U("q"), A("a"), U("r")),
            {},
            False,
        ),
        ({"conversations": [said("human", "q")], "id": "x"}, (U("q"),), {"id": "x"}, False),
        ({"instruction": "q", "input": "i", "output": "o"}, (U("q\n\ni"),), {"output": "o"}, False),
    ],
)
def test_prompts(written, row, messages, columns, plain):
    found = read_prompts(written(row)).rows[0]
    assert (found.messages, found.columns, found.plain) == (messages, columns, plain)


def test_the_option_beats_the_row_and_the_row_beats_the_format(written):
    string = {"prompt": "q", "completion": "a", "chosen": "a", "rejected": "b"}
    for read, default in ((read_dialogues, True), (read_preferences, True), (read_prompts, False)):
        assert read(written(string)).rows[0].plain is default
        assert read(written({**string, "plain": not default})).rows[0].plain is not default
        assert read(written({**string, "plain": not default}), plain=default).rows[0].plain is default


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"notes": "q"}, "found columns notes; expected `prompt`, `messages` or `instruction`."),
        (
            {"messages": [turn("user", "q"), turn("assistant", "a")]},
            "the last turn is the assistant's; expected the user's",
        ),
        ({"prompt": ""}, "prompt is empty"),
    ],
)
def test_a_bad_prompt_is_named_with_its_file_and_row(written, row, problem):
    with pytest.raises(DataError) as error:
        read_prompts(written({"prompt": "good"}, {"prompt": "good"}, row))
    assert "rows.jsonl:3: " in str(error.value)
    assert problem in str(error.value)


# --- bad rows, limits, several files ---------------------------------------------------------------------------------


def test_skipped_rows_are_counted_and_written_with_the_reason(written, tmp_path):
    path = written({"text": "one"}, {"text": ""}, {"notes": "x"}, {"text": "four"})
    with path.open("a") as stream:
        stream.write("not json\n")
    found = read_texts(path, on_bad_row="skip", skipped_to=tmp_path / "out" / "skipped.jsonl")
    assert [row.text for row in found.rows] == ["one", "four"]
    assert found.skipped == 3
    assert "3 rows skipped, written to" in found.description
    lines = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert [line["where"].rsplit(":", 1)[1] for line in lines] == ["2", "3", "5"]
    assert [line["row"] for line in lines] == [{"text": ""}, {"notes": "x"}, {}]
    assert "text is empty" in lines[0]["reason"]
    assert "not JSON" in lines[2]["reason"]


def test_nothing_left_is_an_error(written, tmp_path):
    with pytest.raises(DataError, match=r"none of 2 rows can be used; the first: .*rows\.jsonl:1: text is empty"):
        read_texts(written({"text": ""}, {"text": " "}), on_bad_row="skip")
    (tmp_path / "a.csv").write_text("text\n")
    with pytest.raises(DataError, match=r"a\.csv: there are no rows\."):
        read_texts(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="on_bad_row is 'ignore'; expected error or skip"):
        read_texts(tmp_path / "a.csv", on_bad_row="ignore")


def test_max_samples_stops_reading(written):
    path = written({"text": "one"}, {"text": "two"}, {"text": ""})
    assert [row.text for row in read_texts(path, max_samples=2).rows] == ["one", "two"]


def test_several_files_in_their_order(written, tmp_path):
    second = written({"text": "b"}, name="b.jsonl")
    first = written({"text": "a"}, name="a.jsonl")
    (tmp_path / "c.txt").write_text("c")
    assert [row.text for row in read_texts([second, first]).rows] == ["b", "a"]
    assert [row.text for row in read_texts(tmp_path).rows] == ["a", "b", "c"]
