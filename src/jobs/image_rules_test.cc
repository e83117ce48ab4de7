// Images and what serves them.
#include "jobs/image_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::jobs {
namespace {

using testing::HasSubstr;
using Kind = ModelBinding::Kind;

constexpr char kRegistry[] = "763104351884.dkr.ecr.us-east-1.amazonaws.com/";

TEST(ImageRules, AwsImagesMapByTheirRepository) {
  const std::string aws = kRegistry;
  EXPECT_EQ(bind_image(aws + "huggingface-pytorch-inference:2.1.0-cpu-py310", {})->kind,
            Kind::kNative);
  EXPECT_EQ(bind_image(aws + "pytorch-inference:2.1-cpu", {})->kind, Kind::kPython);
  EXPECT_EQ(bind_image(aws + "sagemaker-scikit-learn:1.2-1-cpu-py3", {})->kind, Kind::kPython);
  EXPECT_EQ(bind_image(aws + "sagemaker-xgboost@sha256:00", {})->kind, Kind::kPython);
  const std::string china =
      "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/huggingface-pytorch-inference:1";
  EXPECT_EQ(bind_image(china, {})->kind, Kind::kNative);
}

TEST(ImageRules, OtherImagesNeedTheOperatorsWord) {
  const auto none = bind_image("docker.io/huggingface-pytorch-inference:1", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kInvalidArgument);
  EXPECT_THAT(none.error().message, HasSubstr("--image"));
  EXPECT_FALSE(bind_image(std::string(kRegistry) + "tensorflow-inference:2", {}));
}

TEST(ImageRules, OtherImagesAreRunWhereTheOperatorAllowsIt) {
  EXPECT_EQ(bind_image("my/model:1", {}, true)->kind, Kind::kContainer);
  EXPECT_EQ(bind_image("my/model:1", {{"my/model", "container"}})->kind, Kind::kContainer);
  // What a rule maps stays with it.
  EXPECT_EQ(bind_image(std::string(kRegistry) + "pytorch-inference:2.1-cpu", {}, true)->kind,
            Kind::kPython);
  EXPECT_EQ(bind_image("my/model:1", {{"my/model", "native"}}, true)->kind, Kind::kNative);
}

TEST(ImageRules, TheOperatorsWordGoesBeforeTheRules) {
  const std::string aws = std::string(kRegistry) + "pytorch-inference:2";
  const auto said = bind_image(aws, {{std::string(kRegistry) + "pytorch-inference", "native"}});
  ASSERT_TRUE(said);
  EXPECT_EQ(said->kind, Kind::kNative);
  const auto exact = bind_image(
      "host:5000/m:1", {{"host:5000/m", "native"}, {"host:5000/m:1", "http://127.0.0.1:8080"}});
  ASSERT_TRUE(exact);
  EXPECT_EQ(exact->kind, Kind::kServer);
  EXPECT_EQ(exact->url, "http://127.0.0.1:8080");
  EXPECT_THAT(bind_image("m", {{"m", "magic"}}).error().message, HasSubstr("'magic'"));
}

TEST(ImageRules, TheModelIsTheArtefactOrTheHubsNameOrTheShippedOne) {
  ContainerRecord container;
  container.image = "x";
  const ModelBinding native;
  EXPECT_EQ(*model_location(container, native), "sst2-small");
  container.environment["HF_MODEL_ID"] = "distilbert/sst2";
  EXPECT_EQ(*model_location(container, native), "sst2");
  container.model_data_url = "s3://b/model.tar.gz";
  EXPECT_EQ(*model_location(container, native), "s3://b/model.tar.gz");
  EXPECT_EQ(*model_location(container, {Kind::kServer, "http://h"}), "http://h");
  EXPECT_FALSE(model_location(ContainerRecord(), {Kind::kPython, ""}));
  EXPECT_EQ(*model_location(ContainerRecord(), {Kind::kContainer, ""}), "");
  EXPECT_EQ(*model_location(container, {Kind::kContainer, ""}), "s3://b/model.tar.gz");
}

}  // namespace
}  // namespace millrace::jobs
