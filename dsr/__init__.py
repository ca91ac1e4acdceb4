"""What: the engine. Values, rules, law, case, log, vault, documents."""

import os

# Read when pyarrow is loaded. Its own allocator kept up to 90 MB of what a million calls had freed (make bench).
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
