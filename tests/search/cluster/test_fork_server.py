"""Workers begin as copies of a process that has imported what they need: what a copy is, and when the process ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from search.cluster.fork_server.handle import START_WORKER, ForkServer
from search.cluster.fork_server.start_worker import ADDRESS
from tests.runs import check_sound, driving, in_process, wait_for_more

# What a worker's program would see of its process; it waits to be told to end where it is to.
PROGRAM = """
import json, os, random, signal, sys
print(json.dumps({
    "arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(), "parent": os.getppid(),
    "imported": "torch" in sys.modules, "input": sys.stdin.read(), "name": __name__,
    "path": sys.path[0], "ray": "ray" in sys.modules, "group": os.getpgid(0) == os.getpid(),
    "niceness": os.nice(0), "session": os.getsid(0),
    "random": [random.random(), __import__("numpy").random.random()],
    "threads": __import__("torch").get_num_threads(),
    "signals": [signal.getsignal(signal.SIGINT) is signal.default_int_handler,
                signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL],
    "score": int(open("/proc/self/oom_score_adj").read()),
}))
print("to stderr", file=sys.stderr)
"""
CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat], reductions: [2]}
train: {epochs: 60, batch_size: 64}
limits: {retries: 3}
search: {trials: 3, sampler: random, pruner: none, baselines: false}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = ForkServer()
    yield started
    started.end()


def start(
    server: ForkServer, program: Path, *arguments: str, given: Mapping[str, str] | None = None, **settings
) -> subprocess.CompletedProcess:
    """Start a worker as Ray does, and return what its program has printed once all that write there have ended."""
    environment = {"PATH": os.environ["PATH"], ADDRESS: server.address, "OF_THE_WORKER": "yes"} | dict(given or {})
    command = [sys.executable, START_WORKER, str(program), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **settings)


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("program") / "worker.py"
    path.write_text(PROGRAM)
    return path


def test_a_copy_has_what_the_worker_is_given_and_what_the_server_has_imported(
    server: ForkServer, program: Path, tmp_path: Path
) -> None:
    context = json.dumps({"env_vars": {"ADDED": "by Ray"}, "command_prefix": []})
    given = ("--node=a b", f"--serialized-runtime-env-context={context}", "--language=PYTHON")
    done = start(server, program, *given, cwd=tmp_path, preexec_fn=lambda: os.nice(7))
    assert (done.returncode, done.stderr) == (0, "to stderr\n")
    seen = json.loads(done.stdout)
    assert seen["arguments"] == ["--node=a b"]
    assert seen["environment"]["OF_THE_WORKER"] == "yes"
    assert seen["environment"]["ADDED"] == "by Ray"
    assert "HOME" not in seen["environment"]
    assert (seen["folder"], seen["path"], seen["name"]) == (str(tmp_path), str(program.parent), "__main__")
    assert (seen["parent"], seen["imported"], seen["ray"]) == (server.process.pid, True, False)
    assert (seen["input"], seen["group"], seen["signals"], seen["score"]) == ("", True, [True, True], 1000)
    assert (seen["threads"], seen["niceness"], seen["session"]) == (1, os.nice(0) + 7, os.getsid(0))


def test_copies_draw_other_random_numbers(server: ForkServer, program: Path) -> None:
    drawn = [json.loads(start(server, program).stdout)["random"] for _ in range(3)]
    assert [len(set(of_one)) for of_one in zip(*drawn, strict=True)] == [3, 3]


def test_a_long_environment_arrives_whole(server: ForkServer, program: Path) -> None:
    long = ["--" + "x" * 100_000] * 4
    assert json.loads(start(server, program, *long).stdout)["arguments"] == long


def test_nothing_is_left_of_a_copy_that_has_ended(server: ForkServer, program: Path) -> None:
    start(server, program)
    nobody(server)


def test_further_modules_are_imported(server: ForkServer, tmp_path: Path) -> None:
    server.have_imported(["wave"])
    program = tmp_path / "program.py"
    program.write_text("import sys; print('wave' in sys.modules)")
    assert start(server, program).stdout == "True\n"


# What a raylet tells the workers of the first job.
OF_A_WORKER = {"RAY_RAYLET_PID": "123", "RAY_JOB_ID": "01000000"}


@pytest.fixture
def deputy(server: ForkServer) -> Iterator[psutil.Process]:
    """Return the process that has Ray imported for workers of raylet 123."""
    # Copies of the test before may not be gone yet.
    nobody(server)
    server.have_imported_ray(123)
    yield only_child(server)
    server.forget_ray()
    nobody(server)


def only_child(server: ForkServer) -> psutil.Process:
    """Return the one process that the server has started, as soon as there is one."""
    deadline = time.monotonic() + 60
    while len(children := psutil.Process(server.process.pid).children()) != 1:
        assert time.monotonic() < deadline
    return children[0]


def nobody(server: ForkServer) -> None:
    """Wait until nothing is left of what the server has started."""
    deadline = time.monotonic() + 60
    while psutil.Process(server.process.pid).children():
        assert time.monotonic() < deadline


def test_workers_of_a_raylet_are_copies_that_have_ray_imported(
    server: ForkServer, deputy: psutil.Process, program: Path
) -> None:
    seen = json.loads(start(server, program, given=OF_A_WORKER).stdout)
    assert (seen["parent"], seen["imported"], seen["ray"]) == (deputy.pid, True, True)
    assert seen["environment"]["OF_THE_WORKER"] == "yes"
    assert "HOME" not in seen["environment"]
    drawn = [json.loads(start(server, program, given=OF_A_WORKER).stdout)["random"] for _ in range(2)]
    assert len({str(one) for one in [*drawn, seen["random"]]}) == 3


@pytest.mark.parametrize("name", OF_A_WORKER)
def test_a_worker_of_another_raylet_or_job_is_left_to_rays_own_program(
    server: ForkServer, deputy: psutil.Process, program: Path, name: str
) -> None:
    code = (
        "import os; from search.cluster.fork_server.start_worker import copied\n"
        "print(copied([os.devnull], dict(os.environ)))"
    )
    for environment, fits in ((OF_A_WORKER | {name: "7"}, False), (OF_A_WORKER, True)):
        environment = {ADDRESS: server.address} | environment
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == str(fits)


def test_where_the_deputy_has_ended_the_server_itself_is_copied(
    server: ForkServer, deputy: psutil.Process, program: Path
) -> None:
    deputy.kill()
    seen = json.loads(start(server, program, given=OF_A_WORKER).stdout)
    assert (seen["parent"], seen["ray"]) == (server.process.pid, False)


def test_copies_with_ray_draw_other_ids(server: ForkServer, deputy: psutil.Process, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import ray; print(ray.ObjectRef.from_random().hex(), ray.NodeID.from_random().hex())")
    drawn = [start(server, program, given=OF_A_WORKER).stdout.split() for _ in range(4)]
    assert [len(set(of_one)) for of_one in zip(*drawn, strict=True)] == [4, 4]


def test_a_deputy_whose_copies_would_draw_alike_ends(tmp_path: Path) -> None:
    code = (
        "import ray; ray.NodeID.from_random()\n"
        "from search.cluster.fork_server.ray_ahead import import_for_workers\n"
        "try: import_for_workers()\n"
        "except ImportError as error: print(error)"
    )
    environment = os.environ | OF_A_WORKER
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "copies of this process draw alike\n"


def test_the_next_raylet_has_a_deputy_of_its_own(server: ForkServer, deputy: psutil.Process, program: Path) -> None:
    start(server, program, given=OF_A_WORKER)
    server.have_imported_ray(124)
    following = OF_A_WORKER | {"RAY_RAYLET_PID": "124"}
    seen = json.loads(start(server, program, given=following).stdout)
    assert seen["ray"]
    assert seen["parent"] == only_child(server).pid != deputy.pid


def test_the_deputy_ends_with_the_server(program: Path) -> None:
    started = ForkServer()
    try:
        started.have_imported_ray(123)
        deputy = only_child(started)
        seen = json.loads(start(started, program, given=OF_A_WORKER).stdout)
        assert seen["parent"] == deputy.pid
    finally:
        started.end()
    assert deputy.wait(60) is None


def test_it_ends_with_the_process_that_has_started_it(tmp_path: Path) -> None:
    code = "from search.cluster.fork_server.handle import fork_server as f; print(f().process.pid, f().address)"
    command = [sys.executable, "-c", code]
    pid, address = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not psutil.pid_exists(int(pid))
    assert not Path(address).parent.exists()


def test_it_ends_where_that_process_is_killed(tmp_path: Path) -> None:
    code = "from search.cluster.fork_server.handle import fork_server as f; print(f().process.pid, f().address)"
    command = [sys.executable, "-uc", f"{code}; import time; time.sleep(100)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, address = process.stdout.readline().split()
        deadline = time.monotonic() + 60
        while not Path(address).exists():
            assert time.monotonic() < deadline
        process.kill()
    while psutil.pid_exists(int(pid)) or Path(address).parent.exists():
        assert time.monotonic() < deadline


def test_a_temporary_folder_that_cannot_be_written_is_no_error_here() -> None:
    code = "from search.cluster.fork_server.handle import fork_server; print(fork_server())"
    done = subprocess.run([sys.executable, "-c", code], env={"TMPDIR": "/proc"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.faults
def test_where_it_is_lost_ray_starts_workers_by_itself(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    with driving("launch", tmp_path / "config.yaml", "--run-dir", run) as driver:
        pid = int(wait_for_more(driver, run, "progress")["worker"].rpartition(":")[2])
        worker = psutil.Process(pid)
        servers = worker.parents()[:2]
        for server in servers:
            assert any(argument.endswith("fork_server/server.py") for argument in server.cmdline())
        for one in (*servers, worker):
            one.kill()
        assert driver.wait(120) == 0
    table = check_sound(run, 3)
    assert set(table["state"]) == {"complete"}
    assert (table["retries"] > 0).any()


@pytest.mark.slow
def test_two_runs_of_one_process_share_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.replace("epochs: 60", "epochs: 1"))
    pids = []
    for name in ("one", "two"):
        done = in_process("launch", tmp_path / "config.yaml", "--run-dir", tmp_path / name)
        assert done.returncode == 0, done.stderr
        check_sound(tmp_path / name, 3)
        pids.append([one.pid for one in psutil.Process().children() if "server.py" in " ".join(one.cmdline())])
    assert pids[0] == pids[1]
    assert len(pids[0]) >= 1
