"""content_types, encoders, errors and worker, as sagemaker_containers.beta.framework has them."""
from sagemaker_containers.beta.framework import content_types, encoders, errors, worker

__all__ = ["content_types", "encoders", "errors", "worker"]
