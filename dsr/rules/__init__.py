"""Rules: values and ``now`` in, values out. Nothing here reads a file, a socket or a clock."""
