"""When: Prefect and the command line, the only place that wires things together."""
