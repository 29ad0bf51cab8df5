"""What a forked child must not find taken: only the thread that forks goes on in it."""

import os
import threading

# Held by what is done once: imports of what is asked for later, and what is compiled. A fork
# waits for it, since the import system and LLVM hold locks of their own meanwhile, which nobody would
# ever let go of in the child.
LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release)
