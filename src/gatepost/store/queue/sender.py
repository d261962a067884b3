"""Who sent a recipient's message, as a condition in SQL: the recipient's own row does not say it.

Law: the message is found by its number, which the recipient's id holds, so that each recipient costs one look.
"""

from gatepost.queue.message import RECIPIENTS_PER_MESSAGE

_MESSAGE = f"SELECT 1 FROM message s WHERE s.id = r.id / {RECIPIENTS_PER_MESSAGE}"


def condition(sender: str, prefix: str) -> tuple[str, dict[str, object]]:
    """On `recipient r`, with its parameters, whose names begin with `prefix`. `sender` is as in `QueueFilter`."""
    if not sender:
        return f"EXISTS ({_MESSAGE} AND s.reverse_path IS NULL)", {}
    local_part, _, domain = sender.rpartition("@")
    parameters: dict[str, object] = {f"{prefix}_domain": domain}
    chosen = f"{_MESSAGE} AND s.reverse_domain = :{prefix}_domain"
    if local_part:
        # RFC 5321 2.4: case may count in a local part; whoever looks for a sender means all of them.
        chosen += f" AND lower(s.reverse_local_part) = lower(:{prefix}_local)"
        parameters[f"{prefix}_local"] = local_part
    return f"EXISTS ({chosen})", parameters
