"""nvidia-ml-py, which declares no types: the one place where it becomes `Any`."""

from typing import Any, Final

import pynvml

nvml: Final[Any] = pynvml
