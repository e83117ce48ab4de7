// What each precision changes of a real model's answers: labels, right answers and scores against
// PyTorch's in float, on SST-2's dev sentences and, with MILLRACE_TEST_LONG=1, on app reviews. The
// figures are printed. Needs the trained model of the test data.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <thread>

#include "model/text_classification_model.h"
#include "nn/kernels.h"

namespace millrace::model {
namespace {

namespace fs = std::filesystem;
using Model = std::shared_ptr<const TextClassificationModel>;

fs::path trained_model() {
  const char* set = std::getenv("MILLRACE_TEST_DATA");
  const fs::path root =
      set != nullptr ? fs::path(set) : fs::path(MILLRACE_SOURCE_DIR) / "../shared";
  return root / "models/minilm-l6-sst2";
}

bool long_tests() {
  const char* value = std::getenv("MILLRACE_TEST_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

struct Sentence {
  Encoding encoding;
  std::vector<double> logits;  // PyTorch's
  bool positive = false;       // PyTorch's label
  bool gold_positive = false;
};

Model load(Precision precision, const std::string& isa = {}) {
  auto model = TextClassificationModel::load(trained_model(),
                                             {.precision = precision, .isa = isa, .threads = 2});
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return nullptr;
  }
  return *model;
}

std::vector<Sentence> read_sentences(const TextClassificationModel& model, const char* file) {
  std::vector<Sentence> sentences;
  std::ifstream lines(trained_model() / file);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    Sentence& sentence = sentences.emplace_back();
    model.tokenizer()->encode(json.at("text").get<std::string>(), model.max_length(),
                              &sentence.encoding);
    sentence.logits = json.at("logits").get<std::vector<double>>();
    sentence.positive = json.at("label") == "POSITIVE";
    sentence.gold_positive = json.value("gold", "") == "POSITIVE";
  }
  return sentences;
}

// Logits of `sentences` in the order of `order`, in packs of up to `tokens_max`, by `threads`.
std::vector<float> classify(const Model& model, const std::vector<Sentence>& sentences,
                            const std::vector<size_t>& order, size_t tokens_max, int threads) {
  struct Range {
    size_t begin, end;
  };
  std::vector<Range> packs;
  size_t tokens = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t length = sentences[order[i]].encoding.ids.size();
    if (packs.empty() || tokens + length > tokens_max) {
      packs.push_back({i, i});
      tokens = 0;
    }
    packs.back().end = i + 1;
    tokens += length;
  }
  std::vector<float> all(order.size() * 2);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    Encoder encoder(model, tokens_max);
    for (size_t p = next++; p < packs.size(); p = next++) {
      std::vector<int32_t> ids;
      std::vector<uint8_t> types;
      std::vector<uint32_t> offsets = {0};
      for (size_t i = packs[p].begin; i < packs[p].end; ++i) {
        const Encoding& row = sentences[order[i]].encoding;
        ids.insert(ids.end(), row.ids.begin(), row.ids.end());
        types.insert(types.end(), row.token_type_ids.begin(), row.token_type_ids.end());
        offsets.push_back(static_cast<uint32_t>(ids.size()));
      }
      std::vector<float> logits((offsets.size() - 1) * 2);
      encoder.forward({ids, types, offsets}, logits.data(), nullptr);
      for (size_t i = packs[p].begin; i < packs[p].end; ++i) {
        std::copy_n(&logits[(i - packs[p].begin) * 2], 2, &all[order[i] * 2]);
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return all;
}

std::vector<size_t> in_order(size_t count) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

double probability(double negative, double positive) {
  return 1 / (1 + std::exp(negative - positive));
}

struct Changes {
  int right = 0;
  int labels = 0;
  double largest = 0;
  double mean = 0;
};

Changes compare(const std::vector<Sentence>& sentences, const std::vector<float>& logits) {
  Changes changes;
  for (size_t i = 0; i < sentences.size(); ++i) {
    const Sentence& sentence = sentences[i];
    const bool positive = logits[2 * i + 1] > logits[2 * i];
    changes.right += positive == sentence.gold_positive;
    changes.labels += positive != sentence.positive;
    const double p =
        probability(static_cast<double>(logits[2 * i]), static_cast<double>(logits[2 * i + 1]));
    const double change = std::abs(p - probability(sentence.logits[0], sentence.logits[1]));
    changes.largest = std::max(changes.largest, change);
    changes.mean += change / static_cast<double>(sentences.size());
  }
  return changes;
}

void print(Precision precision, const char* what, size_t count, const Changes& changes) {
  std::cout << precision_name(precision) << ", " << what << ": " << changes.labels << " of "
            << count << " labels changed, largest change of p " << changes.largest << ", mean "
            << changes.mean << "\n";
}

class TrainedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(trained_model())) GTEST_SKIP() << trained_model() << " is not here";
  }

  // Labels that may change, and sentences of 872 that have to be right (fp32: 778).
  void expect_accuracy(Precision precision, int right_min, int dev_changes, int review_changes) {
    const Model model = load(precision);
    ASSERT_NE(model, nullptr);
    if (model->info().precision != precision) GTEST_SKIP() << model->info().notice;
    const auto dev = read_sentences(*model, "reference_sst2_dev.jsonl");
    ASSERT_EQ(dev.size(), 872U);
    const auto on_dev = compare(dev, classify(model, dev, in_order(dev.size()), 512, 2));
    print(precision, "SST-2 dev", dev.size(), on_dev);
    std::cout << precision_name(precision) << ", SST-2 dev: " << on_dev.right << " right\n";
    EXPECT_GE(on_dev.right, right_min);
    EXPECT_LE(on_dev.labels, dev_changes);
    if (!long_tests()) return;
    const auto reviews = read_sentences(*model, "reference_reviews.jsonl");
    ASSERT_EQ(reviews.size(), 2549U);
    const auto changes =
        compare(reviews, classify(model, reviews, in_order(reviews.size()), 512, 2));
    print(precision, "app reviews", reviews.size(), changes);
    EXPECT_LE(changes.labels, review_changes);
  }

  // Packs, threads, order, repetition and instruction sets leave every bit as it is.
  void expect_determinism(Precision precision) {
    const Model model = load(precision);
    ASSERT_NE(model, nullptr);
    auto sentences = read_sentences(*model, "reference_sst2_dev.jsonl");
    sentences.resize(long_tests() ? sentences.size() : 60);
    auto order = in_order(sentences.size());
    const auto want = classify(model, sentences, order, 512, 1);
    const auto expect_same = [&](const std::vector<float>& got, const char* what) {
      EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0) << what;
    };
    expect_same(classify(model, sentences, order, 512, 2), "two threads");
    expect_same(classify(model, sentences, order, 64, 2), "small packs");
    std::shuffle(order.begin(), order.end(), std::mt19937(3));
    expect_same(classify(model, sentences, order, 1000, 1), "another order");
    std::cout
        << precision_name(model->info().precision) << ": " << want.size() / 2
        << " sentences alike in every bit by one thread and two, in packs of 512, 64 and 1000 "
           "tokens, in another order\n";
    if (precision == Precision::kBf16) return;  // one kind of CPU has it
    sentences.resize(4);
    for (const std::string& isa : nn::kernel_names()) {
      const auto got = classify(load(precision, isa), sentences, in_order(4), 512, 2);
      EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)), 0) << isa;
    }
  }
};

TEST_F(TrainedModel, AnswersNearlyTheSameInInt8) {
  expect_accuracy(Precision::kInt8, 777, 2, 12);
}

TEST_F(TrainedModel, AnswersTheSameBitsInInt8) {
  expect_determinism(Precision::kInt8);
}

TEST_F(TrainedModel, AnswersNearlyTheSameInBf16) {
  expect_accuracy(Precision::kBf16, 777, 0, 3);
}

TEST_F(TrainedModel, AnswersTheSameBitsInBf16) {
  expect_determinism(Precision::kBf16);
}

TEST_F(TrainedModel, AnswersTheSameBitsInFp32) {
  expect_determinism(Precision::kFp32);
}

}  // namespace
}  // namespace millrace::model
