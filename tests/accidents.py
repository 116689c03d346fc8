"""What happens to runs, for the tests of resuming: a kill, and damaged files."""

from cifar_keras.run.callbacks import Stop


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


def kill_at_step(monkeypatch, count):
    # Called last, once the state is saved.
    original, calls = Stop.on_train_batch_end, [0]

    def hooked(self, *args, **kwargs):
        original(self, *args, **kwargs)
        calls[0] += 1
        if calls[0] == count:
            raise Killed

    monkeypatch.setattr(Stop, "on_train_batch_end", hooked)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
