"""Commands of the package, each run as a user would, in a process of its own.

A process that has imported TensorFlow and done nothing with it forks for every
command: what is saved is the import, seconds of each.
"""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["tensorflow", "tensorflow_text", "keras", "zoo.cli", "zoo.pretrained"]
)


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def in_new_process(function, *arguments):
    """What a function of a module answers in a process that has built nothing yet."""
    receiver, sender = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError("The process ended without an answer.") from None
    finally:
        process.join()


def _answer(sender, function, arguments):
    sender.send(function(*arguments))


def run_zoo(arguments: list[str], folder: Path, **environment: str) -> Done:
    """Runs `zoo` with arguments in a folder.

    Args:
        arguments: of the command line.
        folder: the working directory.
        **environment: more variables. Some are read when TensorFlow or Keras is
            imported, so a command that has any starts from nothing.
    """
    if environment:
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout, done.stderr)
    files = [folder / ".stdout", folder / ".stderr"]
    process = _FORKS.Process(target=_run, args=(arguments, folder, *files))
    process.start()
    process.join()
    texts = [file.read_text(encoding="utf-8") for file in files]
    for file in files:
        file.unlink()
    return Done(process.exitcode, *texts)


def _run(arguments, folder, stdout, stderr):
    from zoo.cli import main

    os.chdir(folder)
    for number, file in ((1, stdout), (2, stderr)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["zoo", *arguments]
    main()
