"""content_types, encoders, errors and worker, as sagemaker_containers.beta.framework has them.
Scripts often import its other modules too, for training or for nothing: these say so when they are
used."""
from sagemaker_containers.beta.framework import content_types, encoders, errors, worker

__all__ = ["content_types", "encoders", "errors", "worker"]


class OfImagesOnly:
    """A module that does nothing outside AWS's images."""

    def __init__(self, name):
        self.__name__ = f"{__name__}.{name}"

    def __getattr__(self, name):
        raise AttributeError(f"{self.__name__}.{name} is there in AWS's images only")


def __getattr__(name):
    if name in ("encoder", "entry_point", "env", "files", "functions", "logging_config", "mapping",
                "modules", "params", "runner", "server", "trainer", "transformer"):
        return OfImagesOnly(name)
    raise AttributeError(f"{__name__} has no {name}")
