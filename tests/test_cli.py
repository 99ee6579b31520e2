"""The command line: what it imports, what it says about mistakes, and the small commands."""

import json
import os
import subprocess
import sys

import pytest

METHODS = ["pretrain", "sft", "reward", "rejection", "ppo", "dpo", "group", "rloo", "grpo", "kto", "online_dpo"]


@pytest.fixture
def cli(monkeypatch, capsys):
    """(*words) → (exit code, standard output, standard error) of the command in this process."""

    def run(*words: str) -> tuple[int, str, str]:
        from baro.cli import main

        monkeypatch.setattr(sys, "argv", ["baro", *words])
        code = 0
        try:
            main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def process(*words: str, code: str = "from baro.cli import main; main()") -> subprocess.CompletedProcess:
    script = f"import sys; sys.argv = ['baro', *{list(words)!r}]\n{code}"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("words", [["--help"], ["sft", "--help"], ["data", "--help"], []])
def test_help_imports_nothing_heavy(words):
    heavy = "sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'transformers', 'numpy', 'matplotlib'})"
    done = process(
        *words, code=f"import atexit\natexit.register(lambda: print({heavy}))\nfrom baro.cli import main; main()"
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert "Usage" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command(cli):
    code, out, _ = cli("--help")
    assert code == 0
    for name in [*METHODS, "run", "sample", "score", "eval", "chat", "merge", "data", "playground"]:
        assert f" {name} " in out


@pytest.mark.parametrize("method", METHODS)
def test_settings_are_listed_with_what_they_mean(cli, method):
    code, out, _ = cli(method, "--settings")
    assert code == 0
    lines = out.splitlines()
    names, words = lines[::2], lines[1::2]
    assert any(line.startswith("output_dir: a path = needed") for line in names)
    assert any(line.startswith("learning_rate: a number = ") for line in names)
    # a method that only gives another default says what the setting means all the same
    for name in ("learning_rate", "max_length", "num_train_epochs", "seed"):
        place = next((i for i, line in enumerate(names) if line.startswith(f"{name}:")), None)
        assert place is not None
        assert len(words[place].strip()) > 10, names[place]


def test_no_command_is_explained(cli):
    code, out, err = cli()
    assert "Usage" in out + err
    assert "Traceback" not in out + err
    assert code in (0, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sft", "learning_rte=1"], "Did you mean learning_rate?"),
        (["sft", "learning_rate=fast"], "learning_rate: found 'fast', expected a number"),
        (["sft", "max_length=1"], "max_length"),
        (["sft", "nonsense"], "expected key=value"),
        (["sft"], "output_dir is needed"),
        (["sft", "dataset=no/such/file.jsonl"], "no such file or folder: no/such/file.jsonl"),
        (["sft", "model_name_or_path=./no/model"], "no such model folder"),
        (["sft", "--config", "none.yaml"], "none.yaml: cannot read the settings"),
        (["ppo", "kl_coef=-1"], "kl_coef"),
        (["run", "none.yaml"], "no recipe none.yaml"),
        (["runn"], "No such command 'runn'"),
        (["sample", "modle=x"], "Did you mean model?"),
        (["score", "function=json:nothing"], "no function 'nothing'"),
        (["score", "function=no_such_module:f"], "no module 'no_such_module'"),
        (["eval", "temperature=warm"], "temperature: found 'warm', expected a number"),
        (["chat", "./no/model"], "no such model folder"),
        (["chat"], "Missing argument"),
        (["data", "show", "no.jsonl", "--model", "./no/model"], "no such"),
        (["playground", "export", "x", "--lang", "fr"], "fr"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(cli, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*words)
    assert code == 2
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in out + err
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_at_once(cli, tmp_path):
    file = tmp_path / "sft.yaml"
    file.write_text("learning_rte: 1\nmax_length: 1\n")
    code, _, err = cli("sft", "--config", str(file), "seed=x")
    assert code == 2
    assert f"{file}:1" in err
    assert f"{file}:2" in err
    assert "seed=x" in err
    assert "output_dir is needed" in err


@pytest.fixture
def tokenizer(tmp_path):
    from baro.data.tokenizer import train_bpe

    folder = tmp_path / "tokenizer"
    train_bpe(["The cat is red. The dog is blue."] * 20, 300).save_pretrained(folder)
    return str(folder)


def test_data_show_prints_rows_as_they_are_learnt(cli, tmp_path, tokenizer):
    file = tmp_path / "rows.jsonl"
    rows = [{"instruction": f"Colour of the {name}?", "input": "", "output": "red."} for name in ("cat", "dog", "hat")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = cli("data", "show", str(file), "--model", tokenizer, "--rows", "2")
    assert code == 0, err
    assert "alpaca: instruction, input, output → 2 conversations" in out
    flat = out.replace("\n", "")
    assert "<|user|>Colour of the cat?<|assistant|>red.<|end|>" in flat
    assert "Colour of the hat" not in flat


def test_data_show_names_the_row_it_cannot_read(cli, tmp_path, tokenizer):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"instruction": "Colour?", "output": "red."}\n{"instruction": "Colour?", "output": 7}\n')
    code, _, err = cli("data", "show", str(file), "--model", tokenizer)
    assert code == 2
    assert f"{file}:2" in err


@pytest.mark.slow
def test_the_playground_is_written(cli, tmp_path):
    code, out, err = cli("playground", "export", str(tmp_path / "world"), "--lang", "ko", "--seed", "3")
    assert code == 0, err
    names = {"text", "instruct", "preferences", "prompts"}
    for name in names | {f"{name}_heldout" for name in names}:
        lines = (tmp_path / "world" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert f"{name}: {len(lines):,}" in out
        assert json.loads(lines[0])


def test_a_method_runs_from_a_file_of_settings_that_words_beat(cli, tmp_path):
    (tmp_path / "text.jsonl").write_text('{"text": "The cat is red and the dog is blue."}\n' * 8)
    file = tmp_path / "settings.yaml"
    file.write_text(
        f"dataset: ['{tmp_path / 'text.jsonl'}']\nsize: 20_000\nvocab_size: 290\nmax_length: 64\nmax_steps: 5\n"
        f"output_dir: {tmp_path / 'file'}\ndevice: cpu\n"
    )
    code, out, err = cli("pretrain", "--config", str(file), f"output_dir={tmp_path / 'words'}", "--max-steps", "2")
    assert code == 0, err
    assert f"saved in {tmp_path / 'words'}" in out.replace("\n", "")
    lines = (tmp_path / "words" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 2
    assert not (tmp_path / "file").exists()
    assert "Writing model shards" not in err + out
    # the same command again has nothing left to do
    before = (tmp_path / "words" / "model.safetensors").read_bytes()
    code, _, err = cli("pretrain", "--config", str(file), f"output_dir={tmp_path / 'words'}", "--max-steps", "2")
    assert code == 0, err
    assert (tmp_path / "words" / "model.safetensors").read_bytes() == before


def test_two_runs_in_one_folder_are_refused(cli, tmp_path):
    from baro.engine.run import Run

    (tmp_path / "text.jsonl").write_text('{"text": "The cat is red."}\n' * 8)
    with Run(tmp_path / "out"):
        code, _, err = cli("pretrain", f"dataset={tmp_path / 'text.jsonl'}", f"output_dir={tmp_path / 'out'}")
    assert code == 2
    assert "another run has this folder open" in err
