// Settings of the native model in jobs of other models: flags are refused, variables are told.
#include "jobs/native_only.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::jobs {
namespace {

struct Outcome {
  std::string error;
  std::string notice;
};

Outcome outcome_of(const SettingLayers& layers, bool as_api = false) {
  const auto merged = merge_settings(layers);
  if (!merged) return {merged.error().message, ""};
  auto settings = check_settings(*merged, 1);
  if (!settings) return {settings.error().message, ""};
  settings->as_api = as_api;
  Outcome out;
  const Status status =
      refuse_native_settings(*settings, [&](std::string_view text) { out.notice = text; });
  if (!status) out.error = status.error().message;
  return out;
}

TEST(NativeOnly, FlagsAreRefusedByName) {
  SettingLayers layers;
  layers.flags = {{"TEXT_COLUMN", "text"}, {"OUTPUT_SHAPE", "columns"}, {"PRECISION", "int8"}};
  const std::string error = outcome_of(layers).error;
  for (const char* flag : {"--text-column", "--output-shape", "--precision"}) {
    EXPECT_NE(error.find(flag), std::string::npos) << error;
  }
}

TEST(NativeOnly, VariablesAreToldAndGoOn) {
  SettingLayers layers;
  layers.job_environment = {{"MILLRACE_CLEAN", "urls"}};
  layers.process_environment = {{"MILLRACE_OUTPUT", "columns"}};
  const Outcome outcome = outcome_of(layers);
  EXPECT_EQ(outcome.error, "");
  EXPECT_TRUE(
      outcome.notice.starts_with("MILLRACE_OUTPUT, MILLRACE_CLEAN: for the native model only"))
      << outcome.notice;
}

TEST(NativeOnly, WhatEveryModelsJobUsesIsNeither) {
  SettingLayers layers;
  layers.flags = {{"RESULT_PREFIX", "my_"}, {"THREADS", "2"}, {"SPLIT_TYPE", "Line"}};
  const Outcome outcome = outcome_of(layers);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.notice, "");
}

TEST(NativeOnly, AnOperatorsDefaultsAreNeither) {
  SettingLayers layers;
  layers.flags = {{"ISA", "reference"}, {"RESULT_CACHE", "/var/cache/results"}};
  const Outcome outcome = outcome_of(layers, true);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.notice, "");
}

}  // namespace
}  // namespace millrace::jobs
