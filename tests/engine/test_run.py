"""The folder of a run: one owner, files cut back on resume, figures that are the same every time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from baro.core.errors import BaroError, ConfigError
from baro.engine import files, report
from baro.engine.config import Training
from baro.engine.run import LOGS, Progress, Run


def lines(folder: Path, name: str = "metrics.jsonl") -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text().split("\n")[:-1]]


def test_two_runs_never_share_a_folder(tmp_path):
    with Run(tmp_path / "run"):
        with pytest.raises(BaroError, match=rf"another run has this folder open \(process {os.getpid()}\)"):
            Run(tmp_path / "run").__enter__()
        with Run(tmp_path / "other"):
            pass
    with Run(tmp_path / "run"):  # free again
        pass


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = f"from baro.engine.run import Run\nwith Run({str(tmp_path)!r}):\n    print('on', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(BaroError, match=rf"process {process.pid}"):
        Run(tmp_path).__enter__()
    process.kill()
    process.wait()
    with Run(tmp_path):
        pass


def test_a_failed_start_leaves_the_folder_free(tmp_path):
    (tmp_path / "run" / "checkpoints" / "step-00000001").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(ConfigError, match="resume_from_checkpoint is false"):
            Run(tmp_path / "run", resume=False).__enter__()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BaroError, match="cannot write here"):
        Run(tmp_path / "file" / "run").__enter__()


def test_the_record(tmp_path):
    settings = Training(output_dir=tmp_path, learning_rate=1e-4)
    with Run(tmp_path, settings) as run:
        run.start(0, more=True)
        record = json.loads((tmp_path / "run.json").read_text())
        assert record["settings"]["learning_rate"] == 1e-4
        assert record["settings"]["output_dir"] == str(tmp_path)
        assert record["machine"]["threads"] >= 1
        assert record["machine"]["processes"] == 1
        assert record["finished"] is None
        run.finish(5)
    assert json.loads((tmp_path / "run.json").read_text())["finished"] == {"step": 5}


def test_a_damaged_record_is_written_anew(tmp_path):
    (tmp_path / "run.json").write_text('{"finished": {"st')
    with Run(tmp_path) as run:
        assert run.finished is None


def test_figures(tmp_path):
    with Run(tmp_path) as run:
        run.start(0, more=True)
        run.log(1, {"loss": 0.1 + 0.2, "손실": float("nan"), "big": float("inf"), "rows": ["a:1"]})
        run.log_speed(1, 100)
    assert (tmp_path / "metrics.jsonl").read_text() == (
        '{"step": 1, "loss": 0.30000000000000004, "손실": null, "big": null, "rows": ["a:1"]}\n'
    )
    (speed,) = lines(tmp_path, "speed.jsonl")
    assert speed.keys() == {"step", "seconds", "busy_seconds", "counts_per_second", "peak_bytes"}
    assert speed["peak_bytes"] > 10_000_000
    assert speed["counts_per_second"] * speed["seconds"] == pytest.approx(100, rel=0.05)


def test_what_is_sampled_belongs_to_the_update_that_comes_next(tmp_path):
    with Run(tmp_path) as run:
        run.start(3, more=True)
        run.show([{"prompt": "a"}, {"prompt": "b"}])
        run.done = 7
        run.show([{"prompt": "c"}])
        run.start(3, more=True)
    assert lines(tmp_path, "rollouts.jsonl") == []
    with Run(tmp_path) as run:
        run.start(3, more=True)
        run.show([{"prompt": "a"}])
        run.start(4, more=True)
    assert lines(tmp_path, "rollouts.jsonl") == [{"step": 4, "prompt": "a"}]


@pytest.mark.invariant("I61")
@pytest.mark.parametrize("tail", ["", '{"step": 9, "lo', '{"no": "step"}\n', "\x00\x00\n", "[]\n"])
def test_lines_after_the_checkpoint_and_half_lines_are_cut(tmp_path, tail):
    rows = [{"step": step, "x": f"{step}\u2028\x85"} for step in (1, 2, 2, 3, 4)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for name in LOGS:
        (tmp_path / name).write_text(text + tail)
    with Run(tmp_path) as run:
        run.start(4, more=True)
        assert (tmp_path / "metrics.jsonl").read_text() == text
        run.start(2, more=True)
        for name in LOGS:
            assert [line["step"] for line in lines(tmp_path, name)] == [1, 2, 2]
        run.start(0, more=True)
        assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_full_disk_while_logging_is_one_clear_error(tmp_path, monkeypatch):
    with Run(tmp_path) as run:
        run.start(0, more=True)

        def refuse(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(BaroError, match=r"metrics\.jsonl: cannot write: No space left"):
            run.log(1, {"x": 1})


def test_progress_and_words(tmp_path, capsys):
    seen, said = [], []
    with Run(tmp_path, progress=seen.append, say=said.append) as run:
        run.progress(3, 10, text="loss 1.0")
        run.progress(1, 2, "rows")
        run.say("hello")
    assert seen == [Progress(3, 10, "updates", "loss 1.0"), Progress(1, 2, "rows", "")]
    assert said == ["hello"]
    with Run(tmp_path) as run:
        run.progress(1, 2)
        run.say("on standard error")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "on standard error\n")


def test_a_run_in_a_thread_leaves_signals_alone(tmp_path):
    failures = []

    def work():
        try:
            with Run(tmp_path) as run:
                run.start(0, more=True)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


# --- reporters -------------------------------------------------------------------------------------------------------


def test_a_reporter_that_is_missing_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(report.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"wandb is not installed. Run pip install wandb") as caught:
        Run(tmp_path / "run", report_to=["wandb", "mlflow"])
    assert "'mlflow', expected tensorboard or wandb" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_reporters_get_the_numbers(tmp_path, monkeypatch):
    seen = []

    class Listener:
        def log(self, step, figures):
            seen.append((step, dict(figures)))

        def close(self):
            seen.append("closed")

    monkeypatch.setattr(report.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(report, "open_reporters", lambda names, *_: [Listener() for _ in names])
    with Run(tmp_path, report_to=["tensorboard"]) as run:
        run.start(0, more=True)
        run.log(3, {"loss": 1.5, "count": 2, "nan": float("nan"), "rows": ["a"]})
    assert seen == [(3, {"loss": 1.5, "count": 2.0}), "closed"]


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_a_replaced_file_is_the_old_or_the_new(tmp_path, monkeypatch, name):
    path = tmp_path / "run.json"
    files.replace(path, "old")

    def refuse(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, name, refuse)
        with pytest.raises(OSError, match="Input/output"):
            files.replace(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]
    files.replace(path, "new")
    assert path.read_text() == "new"


def test_a_fingerprint_is_the_known_one(tmp_path):
    """SHA-256 of "abc", FIPS 180-2 appendix B.1."""
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.write(tmp_path / "x", [b"a", memoryview(b"bc")]) == {"bytes": 3, "sha256": digest}
    assert files.fingerprint(tmp_path / "x") == {"bytes": 3, "sha256": digest}
