"""Runs a command as long as the process that started it lives: `python -m athena_bench.keeper COMMAND ...`.

Its standard input is a pipe that the starter holds open. However the starter ends, killed or not, the pipe ends with
it, and the command is stopped. What asks the keeper to terminate asks the command.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Run the command and return its exit code."""
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def stop_with_starter() -> None:
        sys.stdin.buffer.read()
        command.kill()

    signal.signal(signal.SIGTERM, lambda *_: command.terminate())
    threading.Thread(target=stop_with_starter, daemon=True).start()
    return command.wait()


if __name__ == "__main__":
    code = main()
    os._exit(code)  # at once: the thread still reads, and Python complains of that at its end
