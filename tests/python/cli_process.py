"""Running the command line as a process, for the tests of it."""

import subprocess
import sys

GREEDY = ["--temp", "0", "-c", "256"]


def run(*args, code: int = 0, **kwargs) -> subprocess.CompletedProcess:
    """A finished command; fails if the exit code is another or there was a traceback."""
    command = [a if isinstance(a, bytes) else str(a) for a in args]
    done = subprocess.run(
        [sys.executable, "-m", "sterna", *command], capture_output=True, timeout=120, **kwargs
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def out(*args, **kwargs) -> str:
    return run(*args, **kwargs).stdout.decode()
