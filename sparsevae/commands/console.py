"""`sparsevae COMMAND ...`: finds the command and leaves the rest to it."""

import importlib
import sys

from sparsevae.checks import check_choice
from sparsevae.commands import running

COMMANDS = {
    "train": "train, score and picture one VAE",
    "prune": "train a run on while its links are closed",
    "compare": "put runs side by side",
    "evaluate": "score a run or an exported model",
    "export": "write a trained model as a folder that others serve",
    "serve": "serve exported models over HTTP",
    "encode": "write the codes of a folder of images as a table",
    "study": "run many trainings over a grid, from a TOML file",
    "tune": "search for gates and their price",
    "data": "describe, draw, fetch or compare data sets",
    "analyze": "look inside the model of a run",
    "report": "write one page that explains a run, a study or a search",
    "impossibility": "rotate the latents of runs: what of it shows, and where",
    "downstream": "try codes on tasks that come after",
}


def main() -> None:
    """Runs the command that is named first; without one, lists them."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        running.main(_list)
        return
    if name == "--version":
        from sparsevae import __version__

        print(f"sparsevae {__version__}")
        return
    running.main(lambda: _run(name, rest))


def _run(name, arguments):
    check_choice("command", name, COMMANDS)
    sys.argv = [f"sparsevae {name}", *arguments]
    importlib.import_module(f"sparsevae.commands.{name}").main()


def _list():
    print("usage: sparsevae COMMAND [-h] ...\n")
    for name, what in COMMANDS.items():
        print(f"  {name:12} {what}")
