// What a log says of members that only matter on AWS.
#include "jobs/without_effect.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace millrace::jobs {
namespace {

using nlohmann::json;

TEST(MembersWithoutEffect, AreThoseThatWereSent) {
  EXPECT_EQ(members_without_effect(json::parse(
                R"({"ModelName":"m","ExperimentConfig":{"RunName":"r"},
                    "TransformResources":{"InstanceType":"ml.m5.large","InstanceCount":2}})")),
            "TransformResources.InstanceType=ml.m5.large, TransformResources.InstanceCount=2, "
            "ExperimentConfig={\"RunName\":\"r\"}");
  EXPECT_EQ(members_without_effect(json::parse(R"({"ExecutionRoleArn":"arn:aws:iam::1:role/r"})")),
            "ExecutionRoleArn=arn:aws:iam::1:role/r");
}

TEST(MembersWithoutEffect, MayBeNone) {
  EXPECT_EQ(members_without_effect(json::parse(R"({"ModelName":"m","Tags":[]})")), "");
  EXPECT_EQ(members_without_effect(json::parse("", nullptr, false)), "");
}

}  // namespace
}  // namespace millrace::jobs
