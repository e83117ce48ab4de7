// The result cache behind the native handler: a re-run says the same and computes only what is new,
// whatever is made of the results.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "handler/handler_fixture.h"
#include "handler/native_handler.h"
#include "handler/result_cache.h"
#include "model/model_fixture.h"

namespace millrace::handler {
namespace {

namespace fs = std::filesystem;
using model::testing::TempFolder;

const std::string kTexts = "\"good\"\n\"bad\"\n\"good\"\n\"\"\n{\"inputs\":[\"x y\",\"bad\"]}\n";

struct Answered {
  std::string body;
  uint64_t cached = 0;
};

Answered answer_with(const fs::path& folder, const testing::Settings& settings = {},
                     const testing::TinyModel& tiny = {}, const std::string& texts = kTexts) {
  const testing::Model model = testing::tiny_model(tiny);
  const NativeOptions options = testing::options_for(model, settings);
  std::shared_ptr<ResultCache> results;
  if (!folder.empty()) {
    results = *open_result_cache(*model, options, folder, limits::kResultCacheBytesMin);
  }
  const auto handler = *make_native_handler(model, options, 2, results);
  const auto reply = testing::ask(*handler, testing::request_of("application/jsonlines", texts));
  EXPECT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(handler->first_inference());
  return {reply->body, reply->counts.cached};
}

TEST(ResultCacheOfAHandler, ARerunIsCachedAndSaysTheSame) {
  const TempFolder folder;
  const Answered without = answer_with({});
  EXPECT_EQ(without.cached, 0U);
  EXPECT_EQ(answer_with(folder.path()).body, without.body);
  const Answered again = answer_with(folder.path());
  EXPECT_EQ(again.body, without.body);
  EXPECT_EQ(again.cached, 6U);
}

TEST(ResultCacheOfAHandler, OnlyWhatIsNewIsComputed) {
  const TempFolder folder;
  answer_with(folder.path());
  const std::string grown = "\"new\"\n" + kTexts + "\"newer\"\n";
  const Answered again = answer_with(folder.path(), {}, {}, grown);
  EXPECT_EQ(again.cached, 6U);
  EXPECT_EQ(again.body, answer_with({}, {}, {}, grown).body);
}

TEST(ResultCacheOfAHandler, ThresholdsAndOutputFormsShareResults) {
  const TempFolder folder;
  answer_with(folder.path());
  for (const testing::Settings& settings : std::vector<testing::Settings>{
           {{"THRESHOLDS", R"({"NEGATIVE":0.01})"}},
           {{"OUTPUT", "columns"}, {"LABELS", R"({"NEGATIVE":"BAD","POSITIVE":"FINE"})"}},
           {{"OUTPUT", "logits"}},
           {{"SCORE_DIGITS", "2"}}}) {
    const Answered again = answer_with(folder.path(), settings);
    EXPECT_EQ(again.cached, 6U);
    EXPECT_EQ(again.body, answer_with({}, settings).body);
  }
}

TEST(ResultCacheOfAHandler, EmbeddingsAreComputedOnceAndThenCached) {
  const TempFolder folder;
  answer_with(folder.path());
  const testing::Settings embedding = {{"OUTPUT", "embedding"}};
  EXPECT_EQ(answer_with(folder.path(), embedding).cached, 0U);
  const Answered again = answer_with(folder.path(), embedding);
  EXPECT_EQ(again.cached, 6U);
  EXPECT_EQ(again.body, answer_with({}, embedding).body);
}

TEST(ResultCacheOfAHandler, TokenTypesAreToldApart) {
  const TempFolder folder;
  testing::TinyModel bert;
  bert.bert = true;
  const std::string pair = R"({"inputs":{"text":"a b","text_pair":"c"}})"
                           "\n";
  const std::string other = R"({"inputs":{"text":"a","text_pair":"b c"}})"
                            "\n";
  answer_with(folder.path(), {}, bert, pair);
  EXPECT_EQ(answer_with(folder.path(), {}, bert, pair).cached, 1U);
  const Answered answered = answer_with(folder.path(), {}, bert, other);
  EXPECT_EQ(answered.cached, 0U);
  EXPECT_EQ(answered.body, answer_with({}, {}, bert, other).body);
}

TEST(ResultCacheOfAHandler, AProblemIsTold) {
  const TempFolder folder;
  const testing::Model model = testing::tiny_model();
  const NativeOptions options = testing::options_for(model);
  auto results = open_result_cache(*model, options, folder.path(), limits::kResultCacheBytesMin);
  fs::create_directory(folder.path() / "lock");
  const auto handler = *make_native_handler(model, options, 1, *results);
  EXPECT_TRUE(handler->notices().empty());
  ASSERT_TRUE(testing::ask(*handler, testing::request_of("application/jsonlines", kTexts)));
  // The reply is there before the results are kept.
  while (handler->notices().empty()) std::this_thread::yield();
  EXPECT_NE(handler->notices()[0].find("lock"), std::string::npos) << handler->notices()[0];
}

}  // namespace
}  // namespace millrace::handler
