"""What runs in place of an agent of Ray that nobody asks for anything; it is run by its path, not imported.

A raylet does not begin without its two agents, and ends with them. Each of Ray's own takes a second of a core. This one
waits until its standard input ends, which is the raylet's.
"""

import sys

if __name__ == "__main__":
    sys.stdin.buffer.read()
