"""The exception of unsupported formats."""
from sagemaker_inference.errors import UnsupportedFormatError

__all__ = ["UnsupportedFormatError"]
