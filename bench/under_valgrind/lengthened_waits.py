"""Makes the waits of a relay's processes longer, for a run in which everything else takes longer.

What an earlier version has no wait of is left alone.
"""

from importlib import import_module

WAITS = {
    "gatepost.app.worker": ("_LOOK_EVERY_S", "_FILES_EVERY_S", "_ADOPT_EVERY_S", "_ROOM_EVERY_S", "_FIGURES_EVERY_S"),
    "gatepost.logs.log_writer": ("_INTERVAL_S",),
    "gatepost.logs.protocol_log_files": ("_HELD_S",),
    "gatepost.logs.trace_log": ("_HELD_BACK_S", "_EARLY_S"),
    "gatepost.receiving.session_report": ("_LONG_SESSION_S",),
    "gatepost.store.queue.group_commit": ("LONGEST_WAIT_FOR_COMPANY_S",),
}


def lengthen(slowdown: float) -> None:
    for name, waits in WAITS.items():
        module = import_module(name)
        for wait in waits:
            if hasattr(module, wait):
                setattr(module, wait, getattr(module, wait) * slowdown)
