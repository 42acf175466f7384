"""The library of a run: what every choice of every point changes, alone in the trained parent."""
