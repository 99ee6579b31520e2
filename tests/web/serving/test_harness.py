"""lm-evaluation-harness as a client: the requests it sends, sent by OpenAI's own client, and the harness itself."""

import json
import os
import shutil
import subprocess

import openai
import pytest
import torch

from baro.data.records import Message, Prompt
from baro.evals.answers import answers
from baro.pipeline.speaker import Speaker
from baro.web.serving.app import create

THINGS = ("cat", "dog", "hat", "cup")
TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
doc_to_text: "{{{{question}}}}"
"""
CHOICE = """
output_type: multiple_choice
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
WRITE = """
output_type: generate_until
doc_to_target: text
generation_kwargs: {until: ["."], max_gen_toks: 20}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


@pytest.fixture(scope="module")
def speaker(tiny_model):
    with Speaker(str(tiny_model), name="tiny", dtype="float32") as made:
        yield made


@pytest.fixture(scope="module")
def address(speaker, served):
    with served(lambda access: create(access, {"tiny": speaker}), rate=1e6, burst=1e6) as found:
        yield found


@pytest.fixture(scope="module")
def caller(address):
    return openai.OpenAI(base_url=f"{address.home}/v1", api_key="secret", max_retries=0)


@pytest.fixture(scope="module")
def said(speaker):
    """Thing → what the model says of it, greedily."""
    asked = [Prompt((_asked(thing),)) for thing in THINGS]
    found = answers(speaker.model, speaker.tokenizer, asked, temperature=0, max_new_tokens=20)
    assert all(row[0].answer.ended for row in found)
    return {thing: row[0].text for thing, row in zip(THINGS, found, strict=True)}


def truth(folder, context: list[int], continuation: list[int]) -> float:
    """The log-likelihood as transformers computes it."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([context + continuation])
    with torch.no_grad():
        logs = model(ids).logits[0].log_softmax(-1)
    places = range(len(context) - 1, len(context) + len(continuation) - 1)
    return sum(float(logs[place, token]) for place, token in zip(places, continuation, strict=True))


def likelihoods(caller, rows: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
    """(log-likelihood, whether it is what greedy writes): asked for and read as lm-evaluation-harness does."""
    found = caller.completions.create(
        model="tiny", prompt=[a + b for a, b in rows], temperature=0, max_tokens=1, logprobs=1, seed=1234, echo=True
    )
    told = []
    for choice, (context, _) in zip(sorted(found.choices, key=lambda one: one.index), rows, strict=True):
        logs = choice.logprobs.token_logprobs[len(context) : -1]
        tops = choice.logprobs.top_logprobs[len(context) : -1]
        told.append((sum(logs), all(log == max(top.values()) for log, top in zip(logs, tops, strict=True))))
    return told


def test_likelihoods_of_batches_of_token_ids_are_those_of_the_model(caller, speaker, tiny_model, said):
    """Also behind a finished answer, where the one token drawn is the end token: it must still be counted off."""
    rows = []
    for thing in THINGS:
        context = speaker.prompt([_asked(thing)])
        for text in (said[thing], f"The {thing} is huge."):
            rows.append((context, speaker.tokenizer.encode(text, add_special_tokens=False)))
    found = likelihoods(caller, rows)
    for (log, _), (context, continuation) in zip(found, rows, strict=True):
        assert log == pytest.approx(truth(tiny_model, context, continuation), abs=2e-3)
    assert [greedy for _, greedy in found] == [True, False] * 4
    next_token = caller.completions.create(model="tiny", prompt=[*rows[0][0], *rows[0][1]], temperature=0, max_tokens=1)
    assert next_token.choices[0].finish_reason == "stop", "the case this test is about"


def test_a_likelihood_that_leaves_no_room_for_a_token_is_refused(caller, speaker):
    """Answered without that token, the harness would take off the last one it asked about."""
    full = [5] * speaker.context
    with pytest.raises(openai.BadRequestError, match="nothing can be added"):
        caller.completions.create(model="tiny", prompt=[full], max_tokens=1, logprobs=1, echo=True)
    assert caller.completions.create(model="tiny", prompt=[full], max_tokens=0, logprobs=1, echo=True).choices


def test_generation_as_the_harness_asks_for_it(caller, speaker, said):
    ids = [speaker.prompt([_asked(thing)]) for thing in THINGS]
    wish = {"model": "tiny", "max_tokens": 20, "temperature": 0, "seed": 1234}
    plain = caller.completions.create(prompt=ids, stop=[".", "\n", "</s>"], **wish)
    assert [choice.text for choice in plain.choices] == [said[thing].split(".")[0] for thing in THINGS]
    for thing in THINGS:
        asked = [{"role": "user", "content": f"Colour of the {thing}?", "type": "text"}]
        chat = caller.chat.completions.create(messages=asked, stop=["."], **wish)
        assert chat.choices[0].message.content == said[thing].split(".")[0]


@pytest.mark.slow
def test_the_harness_itself(address, tiny_model, said, tmp_path):
    """Choice by likelihood and generation, through both interfaces; a task and rows of our own, no network."""
    harness = shutil.which("lm_eval")
    if harness is None:
        pytest.skip("lm-evaluation-harness is not installed (.ci/run puts it into an environment of its own)")
    _tasks(tmp_path, said)
    found = {}
    for kind, path, tasks, more in (
        ("local-completions", "completions", "choice,write", f"tokenizer={tiny_model},max_length=128"),
        ("local-chat-completions", "chat/completions", "write", "max_length=128"),
    ):
        words = [harness, "--model", kind, "--tasks", tasks, "--include_path", str(tmp_path)]
        words += ["--model_args", f"model=tiny,base_url={address.home}/v1/{path},max_retries=1,{more}"]
        words += ["--apply_chat_template", "--output_path", str(tmp_path / kind), "--log_samples"]
        local = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=os.environ | local | {"OPENAI_API_KEY": "secret", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        (results,) = (tmp_path / kind).rglob("results_*.json")
        found[kind] = json.loads(results.read_text())["results"]
    assert found["local-completions"]["choice"]["acc,none"] == 1.0
    assert found["local-completions"]["write"]["exact_match,none"] == 1.0
    assert found["local-chat-completions"]["write"]["exact_match,none"] == 1.0


def _asked(thing: str) -> Message:
    return Message("user", f"Colour of the {thing}?")


def _tasks(folder, said: dict[str, str]) -> None:
    rows = [
        {
            "question": f"Colour of the {thing}?",
            "choices": [f"The {thing} is huge.", text, "No.", "친구야, 친구야."],
            "answer": 1,
            "text": text.split(".")[0],
        }
        for thing, text in said.items()
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, kind in (("choice", CHOICE), ("write", WRITE)):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, rows=folder / "rows.jsonl") + kind)
