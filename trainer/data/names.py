"""The data sets known by name. Reads nothing, so that a listing of them needs no torch."""

# name -> (class in torchvision.datasets, or "" for scikit-learn's; may a mirrored image stand for itself)
KNOWN: dict[str, tuple[str, bool]] = {
    "digits": ("", False),
    "fashion-mnist": ("FashionMNIST", True),
    "mnist": ("MNIST", False),
    "cifar10": ("CIFAR10", True),
    "cifar100": ("CIFAR100", True),
    "svhn": ("SVHN", False),
}

NAMES: tuple[str, ...] = tuple(KNOWN)
