"""Devices by name."""

import torch


class DeviceError(ValueError):
    """A device that is absent; the message is one sentence."""


def device_of(name: str | torch.device) -> torch.device:
    """Return the device of that name, a CUDA device with its index. Raises DeviceError if it is absent."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"device is {str(name)!r}; it must be cpu, cuda or cuda:N") from None
    if device.type != "cuda":
        return device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise DeviceError(f"device is {str(name)!r}, but torch sees no CUDA device here; use cpu")
    torch.cuda.init()  # type: ignore[no-untyped-call]
    index = torch.cuda.current_device() if device.index is None else device.index
    if index >= count:
        raise DeviceError(
            f"device is {str(name)!r}, but there are {count} CUDA devices; use cuda:0..{count - 1}"
        )
    return torch.device("cuda", index)
