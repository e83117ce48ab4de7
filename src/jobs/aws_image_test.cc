// Image URIs as AWS writes them, and the packages that scripts made for them expect.
#include "jobs/aws_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::jobs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(AwsImage, FrameworkAndVersionAreReadFromTheUri) {
  EXPECT_THAT(*packages_of_image("763104351884.dkr.ecr.us-east-1.amazonaws.com/"
                                 "pytorch-inference:2.1.0-cpu-py310-ubuntu20.04-sagemaker"),
              ElementsAre("torch==2.1.0", "numpy"));
  EXPECT_THAT(
      *packages_of_image("763104351884.dkr.ecr.us-west-2.amazonaws.com/"
                         "huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310"),
      ElementsAre("torch==2.1.0", "transformers==4.37.0"));
  EXPECT_THAT(*packages_of_image("683313688378.dkr.ecr.us-east-1.amazonaws.com/"
                                 "sagemaker-scikit-learn:1.2-1-cpu-py3"),
              ElementsAre("scikit-learn==1.2.*", "pandas"));
  EXPECT_THAT(*packages_of_image("sagemaker-xgboost:1.7-1"),
              ElementsAre("xgboost==1.7.*", "pandas"));
}

TEST(AwsImage, OthersAreRefusedWithThoseThatAreKnown) {
  for (const char* uri : {"", "alpine:3", "a/pytorch-inference", "a/pytorch-inference:latest",
                          "a/tensorflow-inference:2.14"}) {
    const auto refused = packages_of_image(uri);
    ASSERT_FALSE(refused) << uri;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr("sagemaker-scikit-learn"));
  }
}

}  // namespace
}  // namespace millrace::jobs
