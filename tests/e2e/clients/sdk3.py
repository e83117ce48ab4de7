"""SageMaker SDK, version 3: the classic transformer and the resources. Arguments: bucket, name,
'good' or 'bad'."""
import sys

from sagemaker.core.resources import Model, TransformJob
from sagemaker.core.shapes import (ContainerDefinition, TransformDataSource, TransformInput,
                                   TransformOutput, TransformResources, TransformS3DataSource)
from sagemaker.core.utils.utils import configure_logging

configure_logging("INFO")  # else wait(logs=True) prints nothing

bucket, name, kind = sys.argv[1:]
Model.create(
    model_name=f"{name}-model", execution_role_arn="arn:aws:iam::123456789012:role/local",
    primary_container=ContainerDefinition(
        image="763104351884.dkr.ecr.us-east-1.amazonaws.com/"
        "huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310-ubuntu22.04"))
job = TransformJob.create(
    transform_job_name=name, model_name=f"{name}-model",
    transform_input=TransformInput(
        data_source=TransformDataSource(s3_data_source=TransformS3DataSource(
            s3_data_type="S3Prefix", s3_uri=f"s3://{bucket}/{name}/in/")),
        content_type="application/jsonlines", split_type="Line"),
    transform_output=TransformOutput(s3_output_path=f"s3://{bucket}/{name}/out",
                                     accept="application/jsonlines", assemble_with="Line"),
    transform_resources=TransformResources(instance_type="ml.m5.large", instance_count=1))
try:
    job.wait(poll=1, logs=True)
    print("RESULT", job.transform_job_status)
except Exception as error:  # the SDK's own class differs between its releases
    print("RESULT", error)
print("JOBS", [one.transform_job_name for one in TransformJob.get_all(name_contains=name)])
