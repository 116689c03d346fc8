"""How `launch` starts and watches workers, with small programs in their place."""

import signal
import subprocess
import sys
import time

from cifar_keras.distribute.launch import started, watch

# As TensorFlow 2.21 logs it when a worker is lost.
LOST = """\
demo seed 1: epoch 1 of 18
E0000 00:00:1795836614.770027   24633 ring_alg.cc:291] Aborting RingReduce with UNAVAILABLE
Additional GRPC error information from remote target /job:worker/replica:0/task:1:
:UNKNOWN:Error received from peer  {grpc_message:"Socket closed", grpc_status:14}
2026-11-28 03:30:14.770101: E tensorflow/core/x.cc:252] BaseCollectiveExecutor::StartAbort
more of it
cifar-keras: error: worker 0 lost worker 1
Traceback (most recent call last):
  of a bug"""
WORKER = """\
import signal, sys, time
from cifar_keras.distribute.launch import end_with_launcher
def stop(*_):
    print("stopped", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
end_with_launcher()
print("begun", flush=True)
time.sleep(100)
"""
LAUNCHER = """\
import sys, time
from pathlib import Path
from cifar_keras.distribute.launch import started
logs = [Path(log) for log in sys.argv[2:]]
with started([sys.executable, "-c", sys.argv[1]], logs):
    time.sleep(100)
"""


def wait_for(text, path):
    end = time.monotonic() + 20
    while text not in (path.read_text() if path.exists() else ""):
        assert time.monotonic() < end, f"{path.name} does not get to {text!r}"
        time.sleep(0.05)


def test_messages_of_tensorflow_are_in_the_log_and_not_on_the_terminal(tmp_path, capsys):
    log = tmp_path / "worker-0.log"
    program = f"import sys; sys.stderr.write({LOST!r})"

    with started([sys.executable, "-c", program], [log]) as workers:
        failed = watch(workers, [], log)

    assert failed is None
    assert log.read_text() == LOST
    first, *_, error, traceback, last = LOST.splitlines()
    assert capsys.readouterr().err.splitlines() == [first, error, traceback, last]


def test_workers_end_with_a_launch_that_was_killed(tmp_path):
    # The chief worker's output is not in its log.
    logs = [tmp_path / f"worker-{index}.log" for index in range(3)]
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, WORKER, *map(str, logs)], stdout=subprocess.DEVNULL
    )
    for log in logs[1:]:
        wait_for("begun", log)

    launcher.send_signal(signal.SIGKILL)

    for log in logs[1:]:
        wait_for("stopped", log)
    launcher.wait()
