"""Programs against tests: what is right passes, and every way out that is known is tried and shut."""

import gzip
import json
import os
import time
from pathlib import Path

import pytest

from baro.core.errors import BaroError, DataError
from baro.data.records import Message, Prompt
from baro.rewards import programs, walls
from baro.rewards.environment import load_environment
from baro.rewards.programs import Programs, code_of

pytestmark = pytest.mark.skipif(bool(walls.missing()), reason=walls.missing())
DATA = Path(__file__).parents[2].parent / "shared" / "data"
RIGHT = "def f(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def run():
    """(program, tests) → the verdict, within a second."""
    grader = Programs(seconds=1.0, memory=256 << 20)
    return lambda program, *tests: grader.run(program, tests or ("assert f(1, 2) == 3",))


@pytest.fixture(scope="module")
def tells(run):
    """program whose f() returns something → what it returned, as the tests see it."""

    def ask(program: str) -> str:
        said = run(program, "raise KeyError(str(f()))").said[0]
        return said.removeprefix("KeyError: ").strip("'\"")

    return ask


# --- what counts -----------------------------------------------------------------------------------------------------


def test_right_and_wrong_programs(run):
    assert run(RIGHT).passed == 1
    both = run(RIGHT, "assert f(1, 2) == 3", "assert f(2, 2) == 5")
    assert (both.passed, both.tests) == (1, 2)
    assert both.said[0] == ""
    assert both.said[1].startswith("AssertionError")
    assert run("def f(a, b):\n    retrun a").said[0].startswith("SyntaxError")
    assert run("def f(a, b):\n    return a / 0").said[0].startswith("ZeroDivisionError")
    assert run("x = 1").said[0].startswith("NameError")


@pytest.mark.parametrize(
    "value", ["None", "True", "-3", "2.5", "'é'", "b'x'", "1 + 2j", "[1, [2]]", "(1,)", "{1, 2}", "{(1, 2): [3]}", "{}"]
)
def test_plain_values_go_there_and_back(run, value):
    test = f"found = f({value})\nassert found == {value} and type(found) is type({value})"
    assert run("def f(x):\n    return x", test).said == ("",)


def test_errors_the_program_raises_can_be_tested_for(run):
    test = "try:\n    f()\nexcept ValueError as error:\n    assert 'odd' in str(error)\nelse:\n    assert False"
    assert run("def f():\n    raise ValueError('odd')", test).passed == 1


def test_programs_do_not_see_each_other(run):
    assert run("import builtins\nbuiltins.left = 1\ndef f():\n    return 1", "assert f() == 1").passed == 1
    assert run("import builtins\ndef f():\n    return vars(builtins).get('left')", "assert f() is None").passed == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("x = 1", "x = 1"),
        ("Here:\n```python\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1\n```\nand\n```py\ny = 2\n```", "x = 1\n\n\ny = 2\n"),
        ("```python\nx = 1", "x = 1"),
    ],
)
def test_the_program_in_an_answer(answer, code):
    assert code_of(answer) == code


def test_as_an_environment():
    world = load_environment("programs", {"seconds": 2.0, "partial": True})
    rows = [{"tests": ["assert f(1, 2) == 3", "assert f(1, 1) == 3"]}, {"test_list": ["assert f(0, 0) == 0"]}]
    prompts = [Prompt((Message("user", "Add."),), row) for row in rows]
    steps = world.step(world.reset(prompts, [0, 0]), [f"```python\n{RIGHT}```", "no program"])
    assert [step.reward for step in steps] == [0.5, 0.0]
    assert all(step.observation is None for step in steps)
    with pytest.raises(DataError, match="expected tests"):
        world.reset([Prompt((Message("user", "Add."),), {"answer": 3}, where="rows.jsonl:7")], [0])


# --- ways out (incidents, 3.1) ---------------------------------------------------------------------------------------

VERDICTS = {
    "exit code 0": "import sys\nsys.exit(0)",
    "exit in the call": "import os\ndef f(a, b):\n    os._exit(0)",
    "PASS printed early": 'print(\'{"passed": 1, "tests": 1, "said": [""]}\')\ndef f(a, b):\n    return 0',
    "a message of its own": "import os\nfor fd in range(3, 32):\n    try:\n        os.write(fd, b'{\"x\": 1}\\n')\n"
    "    except OSError:\n        pass\ndef f(a, b):\n    return 0",
    "always equal": "class Same(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\n"
    "def f(a, b):\n    return Same(0)",
    "an object that is always equal": "class Same:\n    def __eq__(self, other):\n        return True\n"
    "def f(a, b):\n    return Same()",
    "patched builtins": "import builtins\nbuiltins.AssertionError = KeyError\nbuiltins.__build_class__ = None\n"
    "def f(a, b):\n    return 0",
    "patched json": "import json\njson.dumps = lambda *a, **k: '{\"value\": true}'\ndef f(a, b):\n    return 0",
    "the caller's frames": "import sys\ndef f(a, b):\n    frame = sys._getframe()\n    while frame:\n"
    "        frame.f_globals['judge'] = lambda *a: ['']\n        frame = frame.f_back\n    return 0",
}


@pytest.mark.incident("3.1 forged verdicts")
@pytest.mark.parametrize("way", VERDICTS)
def test_a_verdict_cannot_be_forged(run, way):
    assert run(VERDICTS[way]).passed == 0


@pytest.mark.incident("3.1 time, memory, output")
@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("while True:\n    pass", "took too long"),
        ("import time\ndef f(a, b):\n    time.sleep(60)", "took too long"),
        ("def f(a, b):\n    return len(bytearray(1 << 30))", "MemoryError"),
        ("def f(a, b):\n    return 'x' * (8 << 20)", "returned too much"),
        ("def f(a, b):\n    while True:\n        print('x' * 10**6)", "took too long"),
        ("def f(a, b):\n    open('big', 'w').write('x' * (4 << 20))", ""),
        ("def f(a, b):\n    held = [open('answer.py') for _ in range(100)]", "OSError"),
    ],
)
def test_limits(run, program, says):
    started = time.monotonic()
    found = run(program)
    assert found.passed == 0
    assert says in found.said[0]
    assert time.monotonic() - started < 6


@pytest.mark.incident("3.1 processes, zombies")
@pytest.mark.parametrize(
    "start",
    [
        "os.fork()",
        "os.system('true')",
        "__import__('subprocess').run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.setsid()",
        "__import__('multiprocessing').get_context('fork').Process(target=print).start()",
    ],
)
def test_no_other_process_can_be_started(run, start):
    program = f"import os\ndef f():\n    found = {start}\n    return found"
    found = run(program, "assert f() not in (0, None) or True\nassert False, 'it came back'")
    refused = ("PermissionError", "OSError", "ImportError", "BlockingIOError", "RuntimeError")
    assert found.said[0].startswith(refused) or start.startswith("os.system"), found.said
    if start.startswith("os.system"):  # gives the failure back as a number
        assert run(program, "assert f() != 0").passed == 1


def test_nothing_is_left_running(run):
    run(
        "import threading, time\nfor _ in range(4):\n    threading.Thread(target=time.sleep, args=(60,)).start()\n"
        + RIGHT
    )
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    states = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children]
    assert "Z" not in states


@pytest.mark.incident("3.1 signals")
@pytest.mark.parametrize("target", ["os.getppid()", "-1", "0", "1"])
def test_no_other_process_can_be_signalled(tells, target):
    program = f"import os\ndef f():\n    try:\n        os.kill({target}, 9)\n    except OSError as error:\n"
    assert tells(program + "        return error.errno\n    return 'killed'") == "1"


@pytest.mark.incident("3.1 network")
@pytest.mark.parametrize(
    "call", ["socket.socket()", "socket.socket(socket.AF_UNIX)", "socket.create_connection(('127.0.0.1', 80))"]
)
def test_there_is_no_network(tells, call):
    program = f"import socket\ndef f():\n    try:\n        {call}\n    except OSError as error:\n"
    assert tells(program + "        return type(error).__name__\n    return 'open'") == "PermissionError"


@pytest.mark.incident("3.1 reading the grader, the tests, the home; symlinks")
def test_no_file_of_the_machine_can_be_read_or_changed(tells, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    tries = [
        f"open({str(secret)!r}).read()",
        f"open({str(secret)!r}, 'w')",
        f"os.listdir({str(tmp_path)!r})",
        f"os.remove({str(secret)!r})",
        f"os.rename({str(secret)!r}, 'mine')",
        f"os.link({str(secret)!r}, 'mine')",
        f"os.chmod({str(secret)!r}, 0o777)",
        f"os.truncate({str(secret)!r}, 0)",
        f"os.utime({str(secret)!r})",
        f"(os.symlink({str(secret)!r}, 'link'), open('link').read())",
        "open('../tests/0.py').read()",
        "os.listdir('../tests')",
        "open('../tests/0.py', 'w')",
        "os.remove('../tests/0.py')",
        "os.rename('../tests', '../other')",
        "open('../tests/9.py', 'w')",
        f"open({str(programs.JAIL)!r}).read()",
        f"open({str(programs.JAIL)!r}, 'a')",
        "open('/etc/passwd').read()",
        "os.listdir(os.path.expanduser('~'))",
        "os.listdir('/')",
        "open('/proc/self/mem', 'rb')",
        "open(f'/proc/{os.getppid()}/mem', 'rb')",
        "open(f'/proc/{os.getppid()}/environ', 'rb')",
        "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
        "os.mkfifo('pipe')",
    ]
    lines = "".join(
        f"    try:\n        {one}\n        done.append({one!r})\n    except OSError:\n        pass\n" for one in tries
    )
    assert tells(f"import os\ndef f():\n    done = []\n{lines}    return done") == "[]"
    assert secret.read_text() == "secret"
    assert secret.stat().st_mode & 0o777 != 0o777


def test_its_own_folder_can_be_used(run):
    program = "import tempfile\ndef f(a, b):\n    open('note', 'w').write('3')\n    return int(open('note').read())"
    assert run(program).passed == 1


@pytest.mark.incident("3.1 environment, stdin")
def test_nothing_is_inherited(tells, monkeypatch):
    monkeypatch.setenv("BARO_TEST_TOKEN", "secret")
    assert "secret" not in tells("import os\ndef f():\n    return sorted(os.environ.items())")
    assert tells("import sys\ndef f():\n    return sys.stdin.read()") == ""
    opened = tells("import os\ndef f():\n    return [fd for fd in range(64) if os.path.exists(f'/dev/fd/{fd}')]")
    assert opened.startswith("[0, 1, 2, ")
    assert opened.count(",") == 4  # nothing of the system three times, and the two ends of the pipe


@pytest.mark.incident("3.1 reaching other processes")
@pytest.mark.parametrize("number", [101, 310, 272, 165, 438, 425, 321])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")
def test_dangerous_calls_are_refused(tells, number):
    program = (
        "import ctypes\ndef f():\n    libc = ctypes.CDLL(None, use_errno=True)\n"
        f"    return [libc.syscall({number}, 0, 0, 0, 0, 0, 0), ctypes.get_errno()]"
    )
    assert tells(program) == "[-1, 1]"


@pytest.mark.incident("2406.10162 reward tampering")
@pytest.mark.parametrize("target", ["tests", "grader"])
def test_a_change_of_the_tests_or_the_grader_stops_the_run(monkeypatch, tmp_path, target):
    """As if a way out had been found: whoever changes what decides, no score is believed any more."""
    grader = Programs(seconds=2.0)
    real = grader._process
    copy = tmp_path / "jail.py"
    copy.write_bytes(programs.JAIL.read_bytes())
    if target == "grader":
        monkeypatch.setattr(programs, "GRADER", (copy,))
        grader.grader = programs._digest(programs.GRADER)

    def broken_into(folder: Path) -> str:
        output = real(folder)
        file = folder / "tests" / "0.py" if target == "tests" else copy
        file.chmod(0o644)
        file.write_text("pass")
        return output

    monkeypatch.setattr(grader, "_process", broken_into)
    with pytest.raises(BaroError, match="no score can be trusted"):
        grader.run("x = 1", ["assert f(1, 2) == 3"])


# --- real tasks ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("name", "every", "fewest"), [("mbpp/mbpp", 12, 0.95), ("humaneval/HumanEval", 10, 1.0)])
def test_the_references_of_real_tasks_pass(name, every, fewest):
    file = DATA / f"{name}.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"{name} is not here")
    grader = Programs()
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()][::every]
    passed = 0
    for row in rows:
        answer = row["code"] if "code" in row else row["prompt"] + row["canonical_solution"]
        found = grader.run(answer, programs.tests_of(row, name))
        passed += found.passed == found.tests
        assert grader.run("def nothing():\n    pass", programs.tests_of(row, name)).passed == 0
    assert passed >= fewest * len(rows)
