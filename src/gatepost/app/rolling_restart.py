"""How a worker is told that its successor serves: unlike SIGTERM it leaves time to sessions that have just begun."""

import signal
from typing import Final

RETIRE: Final = signal.SIGUSR1
