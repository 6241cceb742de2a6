"""Registers the tiny data set in every Python process that has this folder on its path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import tiny

tiny.register()
