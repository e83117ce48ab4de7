// The C++ library as its users see it: models, texts, ids, jobs, and failures as values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "millrace/millrace.h"
#include "model/model_fixture.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using model::testing::read_file;
using model::testing::TempFolder;
using model::testing::TestModel;
using model::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A small random model that knows the words w5 .. w49.
class Library : public ::testing::Test {
 protected:
  void SetUp() override {
    randomize(&test_model_, 4);
    write_model(&test_model_, folder());
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < 50; ++i) vocabulary += "w" + std::to_string(i) + "\n";
    write_file(folder() / "vocab.txt", vocabulary);
  }

  fs::path folder() const { return temp_.path() / "model"; }

  Model load(const ModelSettings& settings = {}) {
    auto model = Model::load(folder().string(), settings);
    EXPECT_TRUE(model.ok()) << model.failure().message;
    return std::move(*model);
  }

  TempFolder temp_;
  TestModel test_model_;
};

TEST_F(Library, DescribesAModel) {
  const Model model = load({.threads = 2});
  EXPECT_EQ(model.description().architecture, "DistilBertForSequenceClassification");
  EXPECT_THAT(model.description().labels, ElementsAre("L0", "L1", "L2"));
  EXPECT_EQ(model.description().max_length, 40U);
  EXPECT_EQ(model.description().precision, "fp32");
  EXPECT_THAT(model.description().numeric_identity, HasSubstr(model.description().digest));
}

TEST_F(Library, GivesLogitsForIds) {
  const Model model = load();
  std::vector<TokenRow> rows;
  for (int32_t i = 0; i < 30; ++i) {
    rows.push_back({.ids = {2, 5 + i, 6 + i, 3}});
    if (i % 3 == 0) rows.back().ids.insert(rows.back().ids.begin() + 1, 20, 7 + i);
  }
  const auto outputs = model.forward(rows);
  ASSERT_TRUE(outputs.ok()) << outputs.failure().message;
  ASSERT_EQ(outputs->size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto expected =
        slow_forward(test_model_, rows[i].ids, std::vector<uint8_t>(rows[i].ids.size()));
    ASSERT_EQ((*outputs)[i].logits.size(), 3U);
    ASSERT_EQ((*outputs)[i].embedding.size(), 24U);
    for (size_t label = 0; label < 3; ++label) {
      EXPECT_NEAR(static_cast<double>((*outputs)[i].logits[label]), expected.logits[label], 2e-5);
    }
  }
  const auto nothing = model.forward({});
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->empty());
}

TEST_F(Library, ClassifiesTextsAsTheirIds) {
  const Model model = load();
  const std::vector<std::string> texts = {"w5 w6 w7", "w8", "w5 w6 w7", "w49 w48 w8 w9 w10"};
  const auto answers = model.classify(texts);
  ASSERT_TRUE(answers.ok()) << answers.failure().message;
  ASSERT_EQ(answers->size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto row = model.tokenize(texts[i]);
    ASSERT_TRUE(row.ok()) << row.failure().message;
    const auto output = model.forward(std::span(&*row, 1));
    ASSERT_TRUE(output.ok()) << output.failure().message;
    const Classification& answer = (*answers)[i];
    ASSERT_EQ(answer.logits.size(), 3U);
    EXPECT_EQ(std::memcmp(answer.logits.data(), (*output)[0].logits.data(), 3 * sizeof(float)), 0);
    const auto best = std::max_element(answer.scores.begin(), answer.scores.end());
    EXPECT_EQ(answer.label, "L" + std::to_string(best - answer.scores.begin()));
    EXPECT_EQ(answer.score, *best);
  }
}

TEST_F(Library, TokenizesTextsAndPairs) {
  const Model model = load();
  const auto row = model.tokenize("w5 nothing W6");
  ASSERT_TRUE(row.ok()) << row.failure().message;
  EXPECT_THAT(row->ids, ElementsAre(2, 5, 1, 6, 3));
  const auto pair = model.tokenize_pair("w5", "w6");
  ASSERT_TRUE(pair.ok()) << pair.failure().message;
  EXPECT_THAT(pair->ids, ElementsAre(2, 5, 3, 6, 3));
  EXPECT_THAT(pair->token_type_ids, ElementsAre(0, 0, 0, 1, 1));
  const auto invalid = model.tokenize("\xff");
  ASSERT_FALSE(invalid.ok());
  EXPECT_EQ(invalid.failure().kind, FailureKind::kBadInput);
}

TEST_F(Library, RefusesRowsThatTheModelCannotRead) {
  const Model model = load();
  const auto refusal = [&](const TokenRow& row) {
    const std::vector<TokenRow> rows = {{.ids = {2, 3}}, row};
    const auto outputs = model.forward(rows);
    if (outputs.ok()) return std::string("accepted");
    EXPECT_EQ(outputs.failure().kind, FailureKind::kInvalidArgument);
    return outputs.failure().message;
  };
  EXPECT_THAT(refusal({.ids = {2, 50}}), HasSubstr("row 1: id 50"));
  EXPECT_THAT(refusal({.ids = {-1}}), HasSubstr("row 1: id -1"));
  EXPECT_THAT(refusal({.ids = {}}), HasSubstr("row 1: 0 ids"));
  EXPECT_THAT(refusal({.ids = std::vector<int32_t>(41, 5)}), HasSubstr("row 1: 41 ids"));
  EXPECT_THAT(refusal({.ids = {2, 3}, .token_type_ids = {0}}), HasSubstr("another length"));
}

TEST_F(Library, MayBeCalledFromSeveralThreads) {
  const Model model = load({.threads = 2});
  const std::vector<TokenRow> rows(20, TokenRow{.ids = {2, 9, 8, 7, 3}});
  std::vector<std::vector<RowOutput>> results(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) {
      threads.emplace_back([&] { result = model.forward(rows).value(); });
    }
  }
  for (const auto& result : results) {
    ASSERT_EQ(result.size(), rows.size());
    for (const RowOutput& output : result) EXPECT_EQ(output.logits, results[0][0].logits);
  }
}

TEST_F(Library, FailsWithAMessage) {
  const auto missing = Model::load((temp_.path() / "none").string());
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.failure().message, HasSubstr("none"));
  const auto option = Model::load(folder().string(), {.options = {{"treshold", "1"}}});
  ASSERT_FALSE(option.ok());
  EXPECT_EQ(option.failure().kind, FailureKind::kInvalidArgument);
  EXPECT_THAT(option.failure().message, HasSubstr("treshold"));
  fs::create_directory(temp_.path() / "empty");
  write_file(temp_.path() / "empty/config.json", "{");
  const auto damaged = Model::load((temp_.path() / "empty").string());
  ASSERT_FALSE(damaged.ok());
  EXPECT_THAT(damaged.failure().message, HasSubstr("empty: config.json: not valid JSON"));
  const auto precision = Model::load(folder().string(), {.precision = "int7"});
  ASSERT_FALSE(precision.ok());
  EXPECT_THAT(precision.failure().message,
              HasSubstr("precision \"int7\": allowed: fp32, bf16, int8"));
}

TEST_F(Library, RenamesLabelsAndDecidesByThreshold) {
  const Model model = load({.options = {{"labels", R"({"L0":"BAD","L1":"FAIR","L2":"GOOD"})"},
                                        {"thresholds", R"({"FAIR":0})"}}});
  EXPECT_THAT(model.description().labels, ElementsAre("BAD", "FAIR", "GOOD"));
  const std::vector<std::string> texts = {"w5"};
  const auto answers = model.classify(texts);
  ASSERT_TRUE(answers.ok()) << answers.failure().message;
  EXPECT_EQ((*answers)[0].label, "FAIR");
}

TEST_F(Library, RunsAJobOverFiles) {
  fs::create_directory(temp_.path() / "in");
  write_file(temp_.path() / "in/a.csv", "id,text\n1,w5 w6\n2,w7\n");
  write_file(temp_.path() / "in/b.jsonl", "");
  TransformRequest request;
  request.settings = {{"model", folder().string()},
                      {"input", (temp_.path() / "in").string()},
                      {"output", (temp_.path() / "out").string()},
                      {"work-dir", (temp_.path() / "work").string()},
                      {"csv-header", "true"},
                      {"text-column", "text"}};
  std::vector<std::string> notices;
  request.on_notice = [&](std::string_view text) { notices.emplace_back(text); };
  const auto summary = run_transform(request);
  ASSERT_TRUE(summary.ok()) << summary.failure().message;
  EXPECT_EQ(summary->status, TransformStatus::kCompleted);
  ASSERT_EQ(summary->objects.size(), 1U);
  EXPECT_EQ(summary->objects[0].error, "");
  EXPECT_EQ(summary->records, 2U);
  EXPECT_EQ(notices.size(), 1U);  // the empty object

  const std::vector<std::string> texts = {"w5 w6", "w7"};
  const auto answers = load().classify(texts);
  ASSERT_TRUE(answers.ok());
  const std::string output = read_file(temp_.path() / "out/a.csv.out");
  EXPECT_THAT(output, HasSubstr((*answers)[0].label));
  EXPECT_THAT(output, HasSubstr((*answers)[1].label));
}

TEST_F(Library, RefusesAJobThatCannotStart) {
  TransformRequest request;
  request.settings = {{"model", folder().string()}, {"inputs", "x"}};
  const auto unknown = run_transform(request);
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.failure().message, HasSubstr("\"inputs\""));
  request.settings = {{"model", folder().string()}};
  const auto missing = run_transform(request);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.failure().kind, FailureKind::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
