import io
import sys

import pytest

from cifar_keras.terminal import Bar, images_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A function that lets stderr be a terminal of 80 columns, and returns it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")

    def begin():
        # In the test itself: before each pytest sets stderr anew.
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return begin


def test_elsewhere_nothing_is_written(capfd):
    with images_bar("testing", 10) as done:
        done(10)

    assert capfd.readouterr() == ("", "")


def test_a_bar_is_redrawn_at_most_five_times_a_second_and_erased(terminal):
    stderr = terminal()
    with Bar() as bar:
        bar.begin("epoch 1/2", 1000)
        for step in range(1000):
            bar.move(step, lambda: "note")

    written = stderr.getvalue()
    # Drawn at its start and at its end, and as often as time has passed.
    assert 1 <= written.count("epoch 1/2") < 20
    assert written.rstrip().endswith("\x1b[2K")


def test_the_cursor_is_visible_while_a_bar_moves(terminal):
    stderr = terminal()
    with Bar() as bar:
        bar.begin("epoch 1/2", 1000)
        during = stderr.getvalue()

    assert during.rindex("\x1b[?25h") > during.rindex("\x1b[?25l")


def test_what_is_printed_meanwhile_is_a_line_of_its_own(terminal):
    stderr = terminal()
    with Bar() as bar:
        bar.begin("epoch 1/2", 1000)
        print("cifar-keras: warning", file=sys.stderr)
        text = stderr.getvalue()

    assert "cifar-keras: warning\n" in text


def test_stderr_is_as_before_after_an_error(terminal):
    stderr = terminal()

    def interrupted():
        with Bar() as bar:
            bar.begin("epoch 1/2", 1000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert sys.stderr is stderr
    assert stderr.getvalue().rstrip().endswith("\x1b[2K")
