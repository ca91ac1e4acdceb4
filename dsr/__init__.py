"""What: the engine. Values, rules, law, case, log, vault, documents."""
