"""Run folders as the board tells them, and its two buttons."""

import itertools
import json
import platform
import signal
import subprocess
import sys
import time

import pytest

from baro.core.errors import BaroError, ConfigError
from baro.pipeline.journal import Journal, born
from baro.web.board import acts
from baro.web.board import app as board_app
from baro.web.board.app import create
from baro.web.board.runs import Run, find

SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print(1, flush=True)
time.sleep(60)
"""


@pytest.fixture
def run(tmp_path):
    """A run of two stages, the second under way in this process."""
    folder = tmp_path / "runs" / "one"
    journal = Journal(folder, [("base", "pretrain", ()), ("sft", "sft", ["base"])])
    for stage, settings in (("base", {"lr": 1}), ("sft", {"model": f"{folder}/base", "lr": 2})):
        (folder / stage).mkdir(parents=True)
        (folder / stage / "stage.json").write_text("{}")
        (folder / stage / "run.json").write_text(json.dumps({"settings": settings, "machine": {"device": "cpu"}}))
        rows = [{"step": n, "loss": 5 / n} for n in range(1, 4)]
        (folder / stage / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "base" / "result.json").write_text(json.dumps({"method": "pretrain", "seconds": 3, "metrics": {"a": 1}}))
    journal.note("base", state="done", seconds=3.0)
    journal.note("sft", left=12.5, state="running", done=3, total=9, unit="updates", text="loss 1.7")
    return folder


def stages(summary) -> dict:
    return {row["name"]: row for row in summary["stages"]}


def test_a_run_under_way(run):
    found = Run("one", run).summary()
    assert (found["state"], found["left"], found["can_stop"], found["can_resume"]) == ("running", 12.5, True, False)
    rows = stages(found)
    assert (rows["base"]["state"], rows["base"]["metrics"]) == ("done", {"a": 1})
    assert (rows["sft"]["state"], rows["sft"]["done"], rows["sft"]["total"]) == ("running", 3, 9)
    assert rows["sft"]["inputs"] == ["base"]


def test_a_run_that_vanished_is_not_running(run):
    record = json.loads((run / "progress.json").read_text())
    (run / "progress.json").write_text(json.dumps(record | {"born": "1"}))  # the number belongs to another by now
    found = Run("one", run).summary()
    assert (found["state"], found["left"], found["can_stop"]) == ("gone", None, False)
    assert stages(found)["sft"]["state"] == "waiting"


def test_a_run_of_another_machine_lives_while_it_writes(run):
    record = json.loads((run / "progress.json").read_text()) | {"host": "elsewhere"}
    (run / "progress.json").write_text(json.dumps(record))
    found = Run("one", run).summary()
    assert (found["state"], found["can_stop"], found["can_resume"]) == ("running", False, False)
    (run / "progress.json").write_text(json.dumps(record | {"time": time.time() - 1000}))
    assert Run("one", run).summary()["state"] == "gone"


def test_without_a_record_the_folders_tell(run):
    (run / "progress.json").unlink()
    found = Run("one", run).summary()
    assert stages(found)["sft"]["inputs"] == ["base"], "from the settings"
    assert [row["state"] for row in found["stages"]] == ["done", "waiting"]
    assert not found["can_resume"]


def test_runs_are_found_below_a_folder_and_named_apart(run, tmp_path):
    other = tmp_path / "others" / "one"
    other.mkdir(parents=True)
    (other / "run.json").write_text("{}")
    assert set(find([tmp_path / "runs", tmp_path / "others"])) == {"runs/one", "others/one"}
    assert set(find([run, other])) == {"one", "one′"}
    with pytest.raises(ConfigError, match="no such folder"):
        find([tmp_path / "none"])


def test_alarms_and_samples(run):
    (run / "report.json").write_text(json.dumps({"models": {"sft": {"alarms": [{"code": "kl", "en": "Far."}]}}}))
    (run / "sft" / "alarms.jsonl").write_text('{"code": "live", "en": "Now."}\n')
    row = {"step": 2, "prompt": [{"role": "user", "content": "Hi"}], "completions": ["a"], "rewards": [0.5]}
    (run / "sft" / "rollouts.jsonl").write_text(json.dumps(row) + '\n{"other": 1}\n')
    one = Run("one", run)
    assert {(alarm["stage"], alarm["code"]) for alarm in one.alarms()} == {("sft", "kl"), ("sft", "live")}
    assert one.samples("sft", 2)["rows"] == [{"prompt": "Hi", "completions": ["a"], "rewards": [0.5]}]
    assert one.samples("../sft") == one.samples("nothing") == one.samples("base")
    assert one.samples("base")["rows"] == []


def test_no_run_is_read_only_after_the_others(run, tmp_path, monkeypatch):
    """Each time all is new and the time of one look is over after one of them."""
    monkeypatch.setattr(time, "monotonic", itertools.count().__next__)
    board = board_app.Board([tmp_path / "runs"])
    of = [board_app.Of(run="runs/one", stage=stage) for stage in ("base", "sft")]
    monkeypatch.setattr(board_app, "BUDGET", 1.5)  # one look at the clock
    told = board.curves(board_app.Curves(of=of, keys=["loss"]))
    assert told["behind"]
    for stage in ("base", "sft"):
        with (run / stage / "metrics.jsonl").open("a") as file:
            file.write('{"step": 4, "loss": 1}\n')
    board.curves(board_app.Curves(of=of, keys=["loss"]))
    figures = [board["runs/one"].figures_of(stage) for stage in ("base", "sft")]
    assert all(each.steps for each in figures)


def test_the_interface(run, access, client, refusals, tmp_path):
    app = create(access({"s3cret": "owner"}), [tmp_path / "runs"])
    page = client(app, "s3cret")
    assert [one["name"] for one in page.get("/api/runs").json()["runs"]] == ["runs/one"]
    asked = {"of": [{"run": "runs/one", "stage": "sft"}], "keys": ["loss", "none"]}
    (found,) = page.post("/api/curves", json=asked).json()["stages"]
    assert found["curves"] == {"loss": {"x": [1, 2, 3], "y": [5, 2.5, 1.66667]}}
    asked["of"][0]["seen"] = found["version"]
    assert "curves" not in page.post("/api/curves", json=asked).json()["stages"][0], "nothing new, nothing sent"
    assert page.get("/api/run", params={"run": "runs/one", "stage": "sft"}).json()["settings"]["lr"] == 2
    assert page.get("/api/run", params={"run": "../one", "stage": "sft"}).status_code == 404
    assert page.get("/report", params={"run": "runs/one"}).status_code == 400
    (run / "report.html").write_text("<h1>Report</h1>")
    reply = page.get("/report", params={"run": "runs/one"})
    assert "Report" in reply.text
    assert "sandbox" in reply.headers["content-security-policy"]


@pytest.mark.invariant("I70")
def test_every_route_is_guarded_and_a_link_out_of_the_run_opens_nothing(
    run, access, client, refusals, routes, tmp_path
):
    app = create(access({"s3cret": "owner"}), [tmp_path / "runs"])
    assert {"/api/stop", "/api/resume", "/api/curves", "/report"} <= {path for _, path in routes(app)}
    assert refusals(app, "s3cret") == []
    (tmp_path / "secret.html").write_text("secret")
    (run / "report.html").symlink_to(tmp_path / "secret.html")
    reply = client(app, "s3cret").get("/report", params={"run": "runs/one"})
    assert reply.status_code == 400
    assert "secret" not in reply.text


@pytest.fixture
def sleeper(run):
    """The run's record names a process that ends with 7 when asked to."""
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
    process.stdout.readline()
    record = json.loads((run / "progress.json").read_text())
    words = ["run", "recipe.yaml", "seed=3"]
    record |= {"pid": process.pid, "born": born(process.pid), "words": words, "folder": str(run)}
    (run / "progress.json").write_text(json.dumps(record))
    yield process, record
    process.kill()
    process.wait()


def test_stop_asks_the_process_of_the_record_and_no_other(run, sleeper):
    process, record = sleeper
    (run / "progress.json").write_text(json.dumps(record | {"born": "12"}))
    with pytest.raises(BaroError, match="not running"):
        acts.stop(Run("one", run))
    (run / "progress.json").write_text(json.dumps(record | {"host": "elsewhere"}))
    with pytest.raises(BaroError, match="another machine"):
        acts.stop(Run("one", run))
    assert process.poll() is None
    (run / "progress.json").write_text(json.dumps(record))
    acts.stop(Run("one", run))
    assert process.wait(10) == 7
    with pytest.raises(BaroError, match="not running"):
        acts.stop(Run("one", run))


def test_resume_starts_our_own_commands_only(run, sleeper, monkeypatch):
    process, record = sleeper
    with pytest.raises(BaroError, match="running already"):
        acts.resume(Run("one", run))
    process.send_signal(signal.SIGKILL)
    process.wait()
    started = []

    class Started:
        pid = 5

        def __init__(self, command, **options):
            started.append((command, options))

    monkeypatch.setattr(acts.subprocess, "Popen", Started)
    assert acts.resume(Run("one", run)) == 5
    ((command, options),) = started
    assert command == [sys.executable, "-m", "baro", "run", "recipe.yaml", "seed=3"]
    assert str(options["cwd"]) == str(run)
    for words in (["serve", "x"], [], ["run", 3], "run x", None):
        (run / "progress.json").write_text(json.dumps(record | {"words": words}))
        with pytest.raises(BaroError, match="no command"):
            acts.resume(Run("one", run))
    assert len(started) == 1


def test_the_journal_tells_how_a_run_ended(tmp_path):
    from baro.core.signals import Stopped

    for error, state in ((None, "done"), (ValueError("bad"), "failed"), (Stopped(15, "x"), "stopped")):
        journal = Journal(tmp_path, [("a", "sft", ())])
        journal.note("a", state="running")
        journal.close(error)
        record = json.loads((tmp_path / "progress.json").read_text())
        assert (record["state"], record["stages"][0]["state"]) == (state, "waiting")
        assert record["host"] == platform.node()
    assert born(2**22 + 5) == ""
