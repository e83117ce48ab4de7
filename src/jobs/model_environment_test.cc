// What reaches a model's process, and what never does.
#include "jobs/model_environment.h"

#include <gtest/gtest.h>

namespace millrace::jobs {
namespace {

TEST(ModelEnvironment, HasNoKeysAndNoSecretsOfThisProcess) {
  const Variables process = {
      {"PATH", "/bin"},      {"LC_ALL", "C"},   {"AWS_SECRET_ACCESS_KEY", "s"},
      {"DATABASE_URL", "s"}, {"HF_TOKEN", "s"}, {"MILLRACE_THREADS", "2"}};
  const Variables found = model_environment({}, process, {}, "");
  EXPECT_EQ(found, (Variables{{"LC_ALL", "C"}, {"PATH", "/bin"}, {"SAGEMAKER_BATCH", "true"}}));
  JobSettings settings;
  settings.pass_credentials = true;
  EXPECT_EQ(model_environment(settings, process, {}, "").at("AWS_SECRET_ACCESS_KEY"), "s");
  EXPECT_EQ(model_environment(settings, process, {}, "").count("DATABASE_URL"), 0u);
}

TEST(ModelEnvironment, TellsOnlyWhatTheJobStates) {
  JobSettings settings;
  settings.batch_strategy = record::BatchStrategy::kSingleRecord;
  settings.max_payload_in_mb = 0;
  const Variables found = model_environment(settings, {}, {}, "");
  EXPECT_EQ(found.at("SAGEMAKER_BATCH_STRATEGY"), "SINGLE_RECORD");
  EXPECT_EQ(found.at("SAGEMAKER_MAX_PAYLOAD_IN_MB"), "0");
  EXPECT_EQ(found.count("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"), 0u);
}

TEST(ModelEnvironment, LetsTheStatedEnvironmentWin) {
  const Variables found = model_environment(
      {}, {{"PATH", "/bin"}}, {{"PATH", "/mine"}, {"SAGEMAKER_BATCH", "no"}}, "/models/m");
  EXPECT_EQ(found.at("PATH"), "/mine");
  EXPECT_EQ(found.at("SAGEMAKER_BATCH"), "no");
  EXPECT_EQ(found.at("SM_MODEL_DIR"), "/models/m");
}

}  // namespace
}  // namespace millrace::jobs
