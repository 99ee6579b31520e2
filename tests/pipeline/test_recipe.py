"""Recipe files: references, overrides, and everything wrong at once."""

from pathlib import Path

import pytest

from baro.core.errors import ConfigError
from baro.pipeline.recipe import load

TEXT = """
seed: 3
lang: en
stages:
  world:
    method: prepare
    function: "baro.playground:export"
    args: {lang: "${lang}", seed: "${seed}"}
  base:
    method: pretrain
    minutes: 2
    dataset: ["${world}/text.jsonl"]
  sft:
    method: sft
    model_name_or_path: ${base}
    dataset: ["${world}/instruct.jsonl"]
evaluate:
  models: [base, sft]
  prompts: ["${world}/prompts.jsonl"]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    return path


def test_references_become_folders_and_inputs(file):
    recipe = load(file, [])
    assert recipe.folder == Path("runs/mine")
    assert recipe.stages["base"].settings["dataset"] == ["runs/mine/world/text.jsonl"]
    assert recipe.stages["sft"].inputs == ("base", "world")
    assert recipe.stages["base"].minutes == 2
    assert recipe.evaluated == ("world",)


def test_a_whole_reference_keeps_its_type(file):
    assert load(file, []).stages["world"].settings["args"] == {"lang": "en", "seed": 3}


def test_the_command_line_beats_the_file(file):
    recipe = load(file, ["lang=ko", "run=out/here", "base.learning_rate=0.5", "--seed=4"])
    assert recipe.folder == Path("out/here")
    assert recipe.stages["world"].settings["args"] == {"lang": "ko", "seed": 4}
    assert recipe.stages["base"].settings["learning_rate"] == 0.5


def test_every_problem_at_once(file):
    file.write_text(TEXT.replace("method: sft", "method: sfft").replace('{lang: "${lang}"', '{lang: "${lag}"'))
    with pytest.raises(ConfigError) as caught:
        load(file, ["lng=ko", "nonsense"])
    text = str(caught.value)
    assert "4 problems" in text
    assert "Did you mean lang?" in text
    assert "'nonsense', expected key=value" in text
    assert "method is 'sfft'" in text
    assert "Did you mean ${lang}?" in text


def test_a_stage_reads_only_stages_above_it(file):
    file.write_text(TEXT.replace("${world}/text.jsonl", "${sft}/text.jsonl"))
    with pytest.raises(ConfigError, match=r"\$\{sft\} is neither a variable nor an earlier stage"):
        load(file, [])


def test_a_missing_recipe_names_those_there_are(file):
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load(file.with_name("other.yaml"), [])
