// Which objects are inputs and what their outputs are called.
#include "transform/plan_inputs.h"

#include <gtest/gtest.h>

#include "transform/testing/memory_store.h"

namespace millrace::transform {
namespace {

using testing::MemoryStore;

std::vector<std::string> output_keys(const Plan& plan) {
  std::vector<std::string> keys;
  for (const PlannedObject& object : plan.objects) keys.push_back(object.output_key);
  return keys;
}

struct NamingCase {
  const char* prefix;
  const char* key;
  const char* output;
};

TEST(PlanInputs, NamesOutputsByWhatFollowsThePrefixsFolder) {
  const NamingCase cases[] = {
      {"data/", "data/a.csv", "o/a.csv.out"},
      {"data/", "data/sub/a.csv", "o/sub/a.csv.out"},
      {"data", "data/a.csv", "o/a.csv.out"},
      {"batch/input", "batch/input/0.png", "o/0.png.out"},
      {"batch/input", "batch/input/sub/0.png", "o/sub/0.png.out"},
      {"batch/input", "batch/input_2/0.png", "o/input_2/0.png.out"},  // a neighbour
      {"batch/input", "batch/input-1.csv", "o/input-1.csv.out"},
      {"data/", "data//a.csv", "o//a.csv.out"},
      {"data/\xE1\xBA\xA1 b", "data/\xE1\xBA\xA1 b/+%.csv", "o/+%.csv.out"},
      {"data/a.csv", "data/a.csv", "o/a.csv.out"},
      {"data/part-", "data/part-0", "o/part-0.out"},
      {"", "a.csv", "o/a.csv.out"},
      {"", "x/a.csv.gz", "o/x/a.csv.gz.out"},
      {"d/x.csv.gz", "d/x.csv.gz", "o/x.csv.gz.out"},
  };
  for (const NamingCase& c : cases) {
    MemoryStore store;
    store.put(c.key, "x");
    PlanOptions options;
    options.input_prefix = c.prefix;
    options.output_prefix = "o/";
    const auto plan = plan_inputs(store, options);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(output_keys(*plan), std::vector<std::string>{c.output}) << c.prefix;
  }
}

TEST(PlanInputs, IsInBytewiseOrderOfTheKeys) {
  MemoryStore store;
  for (const char* key : {"b", "a", "B", "a/b", "\xC3\xA9"}) store.put(key, "x");
  const auto plan = plan_inputs(store, {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan),
            (std::vector<std::string>{"B.out", "a.out", "a/b.out", "b.out", "\xC3\xA9.out"}));
}

TEST(PlanInputs, SkipsMarkersAndEmptyObjectsOnlyForTheCommandLine) {
  MemoryStore store;
  for (const char* key : {"d/_SUCCESS", "d/.part.crc", "d/_temporary/0/x", "d/a_b.c"}) {
    store.put(key, "x");
  }
  store.put("d/empty", "");
  PlanOptions options;
  options.input_prefix = "d/";
  auto plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->objects.size(), 5U);
  EXPECT_TRUE(plan->skipped.empty());

  options.skip_markers = true;
  plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan), std::vector<std::string>{"a_b.c.out"});
  ASSERT_EQ(plan->skipped.size(), 4U);
  EXPECT_EQ(plan->skipped[3], "s3://b/d/empty: it is empty");
}

TEST(PlanInputs, TakesAMarkersNameWhenTheObjectWasNamedInFull) {
  MemoryStore store;
  store.put("d/_reviews.csv", "x");
  PlanOptions options;
  options.input_prefix = "d/_reviews.csv";
  options.skip_markers = true;
  const auto plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan), std::vector<std::string>{"_reviews.csv.out"});
}

TEST(PlanInputs, TakesOneObjectAndNotItsNeighboursWhereOneIsMeant) {
  MemoryStore store;
  store.put("a.csv", "x");
  store.put("a.csv.out", "x");
  PlanOptions options;
  options.input_prefix = "a.csv";
  options.input_is_object = true;
  const auto plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan), std::vector<std::string>{"a.csv.out"});
  options.input_prefix = "b.csv";
  EXPECT_EQ(plan_inputs(store, options).error().code, Code::kNotFound);
}

TEST(PlanInputs, NeverTakesFolderMarkers) {
  MemoryStore store;
  store.put("d/", "");
  store.put("d/sub/", "");
  store.put("d/sub/a", "x");
  store.put("d/empty", "");
  PlanOptions options;
  options.input_prefix = "d/";
  const auto plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan), (std::vector<std::string>{"empty.out", "sub/a.out"}));
  EXPECT_EQ(plan->skipped, (std::vector<std::string>{"s3://b/d/: it marks a folder",
                                                     "s3://b/d/sub/: it marks a folder"}));
}

TEST(PlanInputs, TakesWhatAManifestListsUnderItsOwnNames) {
  MemoryStore store;
  for (const char* key : {"d/b.csv", "d/sub/_a.csv", "d/not listed", "d/part-1"}) {
    store.put(key, "x");
  }
  PlanOptions options;
  options.input_prefix = "d/";
  options.output_prefix = "o/";
  options.skip_markers = true;
  options.keys = {{"sub/_a.csv", "missing", "b.csv"}};
  auto plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan),
            (std::vector<std::string>{"o/b.csv.out", "o/missing.out", "o/sub/_a.csv.out"}));
  EXPECT_EQ(plan->objects[0].input.problem, "");
  EXPECT_NE(plan->objects[1].input.problem.find("no such object"), std::string::npos);

  options.input_prefix = "d/part-";
  options.keys = {{"1"}};
  plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->objects[0].input.key, "d/part-1");
  EXPECT_EQ(output_keys(*plan), std::vector<std::string>{"o/1.out"});

  options.keys = {{"1", "1"}};
  EXPECT_EQ(plan_inputs(store, options).error().code, Code::kInvalidArgument);
}

TEST(PlanInputs, RefusesTwoInputsForOneOutput) {
  MemoryStore store;
  store.put("a", "x");
  PlanOptions options;
  options.output_prefix = "result.csv";
  options.output_is_object = true;
  auto plan = plan_inputs(store, options);
  ASSERT_TRUE(plan);
  EXPECT_EQ(output_keys(*plan), std::vector<std::string>{"result.csv"});
  store.put("b", "x");
  plan = plan_inputs(store, options);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kInvalidArgument);
  EXPECT_NE(plan.error().message.find("result.csv"), std::string::npos);
}

}  // namespace
}  // namespace millrace::transform
