"""`baro run`: what is skipped, what is made again, what goes on where it stopped, and what is refused first."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baro.core.errors import ConfigError
from baro.pipeline import fingerprint, runner


def weights(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in run.rglob("model.safetensors")}


@pytest.fixture
def go(chain, tmp_path):
    """(*overrides) → run the chain, always in the same folder."""

    def start(*overrides: str) -> Path:
        fingerprint.content.cache_clear()
        runner.run(chain, [f"run={tmp_path / 'run'}", *overrides])
        return tmp_path / "run"

    return start


# --- skipping --------------------------------------------------------------------------------------------------------


def test_a_finished_chain_is_not_run_again_and_a_changed_stage_takes_its_followers_along(go, went, chain, capsys):
    run = go()
    assert went == ["world", "base", "sft", "dpo"]
    before = weights(run)
    assert set(before) == {f"{name}/model.safetensors" for name in ("base", "sft", "dpo")}
    went.clear()
    go()
    assert went == []
    assert capsys.readouterr().out.count("done before") == 4
    assert weights(run) == before
    # where a result is shown, how often it is logged or saved does not change it
    go("sft.logging_steps=3", "sft.save_steps=5")
    assert went == []
    go("sft.learning_rate=2e-3")
    assert went == ["sft", "dpo"]
    assert (run / ".earlier" / "sft" / "model.safetensors").read_bytes() == before["sft/model.safetensors"]
    assert weights(run)["base/model.safetensors"] == before["base/model.safetensors"]
    went.clear()
    go("repeat=5")  # a variable that the first stage uses
    assert went == ["world", "base", "sft", "dpo"]
    went.clear()
    go("repeat=5", "seed=1")
    assert went == ["base", "sft", "dpo"] or went == ["world", "base", "sft", "dpo"]


def test_changed_data_and_functions_are_noticed(go, went, chain, tmp_path):
    data = tmp_path / "mine.jsonl"
    data.write_text('{"instruction": "Colour?", "output": "red."}\n' * 8)
    text = chain.read_text().replace('["${world}/tasks.jsonl"]', f'["{data}"]')
    chain.write_text(text)
    go()
    went.clear()
    data.write_text('{"instruction": "Colour?", "output": "red!"}\n' * 8)
    go()
    assert went == ["sft", "dpo"]
    went.clear()
    os.utime(data)  # its time is not its content
    go()
    assert went == []
    made = tmp_path / "tiny_data.py"
    made.write_text(made.read_text().replace("is {colour}. ", "looks {colour}. "))
    go()
    assert went == ["world", "base", "sft", "dpo"]


def test_changed_code_is_noticed_where_it_is_used(go, went, monkeypatch):
    go()
    went.clear()
    hashed = fingerprint.code
    monkeypatch.setattr(fingerprint, "code", lambda module: hashed(module) + ("2" if module.endswith(".sft") else ""))
    go()
    assert went == ["sft", "dpo"]


def test_a_stage_that_lost_its_result_goes_on_and_the_others_stay(go, went):
    run = go()
    before = weights(run)
    went.clear()
    (run / "sft" / "result.json").unlink()
    go()
    assert went == ["sft"]  # all its updates are done: nothing is trained again, and dpo read the same model
    assert weights(run) == before


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
def test_a_stage_that_died_goes_on_where_it_was(go, went, monkeypatch, capsys, tmp_path, chain):
    from baro.recipes import sft

    step, seen = sft.step, []

    def dies(model, batch):
        seen.append(batch)
        if len(seen) == 6:
            raise RuntimeError("power cut")
        return step(model, batch)

    monkeypatch.setattr(sft, "step", dies)
    with pytest.raises(RuntimeError, match="power cut"):
        go()
    run = tmp_path / "run"
    assert went == ["world", "base", "sft"]
    assert not (run / "sft" / "result.json").exists()
    went.clear()
    monkeypatch.setattr(sft, "step", lambda model, batch: seen.append(batch) or step(model, batch))
    capsys.readouterr()
    go()
    assert went == ["sft", "dpo"]
    assert "continuing after update 4" in capsys.readouterr().out
    assert len(seen) == 6 + 2
    monkeypatch.setattr(sft, "step", step)
    runner.run(chain, [f"run={tmp_path / 'other'}"])
    assert weights(run) == weights(tmp_path / "other")


# --- refusing --------------------------------------------------------------------------------------------------------


def test_everything_wrong_is_said_before_anything_starts(go, chain, tmp_path):
    text = chain.read_text().replace("max_steps: 2", "max_step: 2").replace("dtype: float32", "dtype: float23", 1)
    text = text.replace('["${world}/tasks.jsonl"]', '["missing/tasks.jsonl"]').replace("repeat: 4\n", "repeat: 4\n", 1)
    chain.write_text(text)
    with pytest.raises(ConfigError) as caught:
        go("sft.learning_rate=fast", "base.max_length=1")
    said = str(caught.value)
    assert "Did you mean max_steps?" in said
    assert "missing/tasks.jsonl" in said
    assert "float23" in said
    assert "learning_rate: found 'fast', expected a number" in said
    assert "max_length" in said
    for stage in ("base", "sft", "dpo"):
        assert f"{chain}: stages.{stage}" in said
    assert not (tmp_path / "run").exists()


def test_an_evaluation_of_an_unknown_stage_is_refused(go, chain, tmp_path):
    prompts = '["${world}/prompts.jsonl"]'
    chain.write_text(chain.read_text() + f"evaluate:\n  models: [sft, ppo]\n  reference: base\n  prompts: {prompts}\n")
    with pytest.raises(ConfigError) as caught:
        go()
    assert "evaluate.models names 'ppo'" in str(caught.value)
    assert "evaluate: reference is 'base'" in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("method: prepare", "method: prepare\n    functoin: x:y", "Did you mean function?"),
        ("tiny_data.py:make", "tiny_data.py:bake", "has no function 'bake'"),
        ("tiny_data.py:make", "no_data.py:make", "no file"),
        ("model_name_or_path: ${sft}", "model_name_or_path: ./no/such/model", "no such model folder"),
    ],
)
def test_a_function_or_model_that_is_not_there_is_noticed_first(go, chain, tmp_path, old, new, message):
    text = chain.read_text()
    assert old in text
    chain.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        go()
    assert not (tmp_path / "run").exists()


def test_wrong_data_ends_the_run_with_file_and_row(go, chain, tmp_path):
    from baro.core.errors import DataError

    data = tmp_path / "bad.jsonl"
    data.write_text('{"instruction": "Colour?", "output": "red."}\n{"question": "Colour?"}\n')
    chain.write_text(chain.read_text().replace('["${world}/tasks.jsonl"]', f'["{data}"]'))
    with pytest.raises(DataError, match=r"bad\.jsonl:2"):
        go()


# --- as a process ----------------------------------------------------------------------------------------------------


def start(file: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "baro", "run", str(file), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.invariant("I66")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_ends_with_the_shells_code_and_the_same_command_goes_on(chain, tmp_path, number, code):
    run = tmp_path / "run"
    words = [f"run={run}", "sft.max_steps=400", "sft.save_steps=0"]
    process = start(chain, *words)
    log = run / "sft" / "metrics.jsonl"
    for _ in range(6000):
        if log.is_file() and log.read_bytes().count(b"\n") > 3:
            break
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)
    process.send_signal(number)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "everything is saved" in said
    assert not (run / "dpo").exists()
    done = len(log.read_text().splitlines())
    again = start(chain, *words)
    said, _ = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert said.count("done before") == 2
    assert f"continuing after update {done}" in said
    assert (run / "dpo" / "result.json").is_file()


@pytest.mark.slow
def test_a_wrong_recipe_exits_with_2_and_no_traceback(chain, tmp_path):
    process = start(chain, f"run={tmp_path / 'run'}", "sft.learning_rate=fast", "sftt.seed=1")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "Traceback" not in said
    assert "Did you mean sft." in said
