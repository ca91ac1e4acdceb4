"""How: ways to reach and speak to a company's systems."""
