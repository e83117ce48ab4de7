// The encoder against a double-precision forward pass and against PyTorch's logits, and the promise
// that a row's bits depend on the row alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "model/model_fixture.h"
#include "model/text_classification_model.h"
#include "nn/kernels.h"

namespace millrace::model {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;
using testing::TestModel;

struct Row {
  std::vector<int32_t> ids;
  std::vector<uint8_t> types;
};

struct Output {
  std::vector<float> logits;
  std::vector<float> embedding;
  bool operator==(const Output& other) const {
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    return same(logits, other.logits) && same(embedding, other.embedding);
  }
};

using Model = std::shared_ptr<const TextClassificationModel>;

Model load(const fs::path& folder, const std::string& isa = "", int threads = 1,
           Precision precision = Precision::kFp32) {
  auto model = TextClassificationModel::load(
      folder, {.precision = precision, .isa = isa, .threads = threads});
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return nullptr;
  }
  return *model;
}

std::vector<Output> forward(const TextClassificationModel& model, Encoder& encoder,
                            const std::vector<Row>& rows) {
  std::vector<int32_t> ids;
  std::vector<uint8_t> types;
  std::vector<uint32_t> offsets = {0};
  for (const Row& row : rows) {
    ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    types.insert(types.end(), row.types.begin(), row.types.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  const size_t labels = model.info().labels.size();
  const size_t hidden = model.info().hidden_size;
  std::vector<float> logits(rows.size() * labels);
  std::vector<float> embeddings(rows.size() * hidden);
  encoder.forward({ids, types, offsets}, logits.data(), embeddings.data());
  std::vector<Output> outputs(rows.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    outputs[r].logits.assign(&logits[r * labels], &logits[r * labels] + labels);
    outputs[r].embedding.assign(&embeddings[r * hidden], &embeddings[r * hidden] + hidden);
  }
  return outputs;
}

Output forward_alone(const TextClassificationModel& model, Encoder& encoder, const Row& row) {
  return forward(model, encoder, {row})[0];
}

std::vector<Row> random_rows(size_t count, size_t vocabulary, size_t length_max, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Row> rows(count);
  for (Row& row : rows) {
    const size_t length = 1 + random() % length_max;
    const size_t second_text = random() % (length + 1);
    for (size_t i = 0; i < length; ++i) {
      row.ids.push_back(static_cast<int32_t>(random() % vocabulary));
      row.types.push_back(i >= second_text ? 1 : 0);
    }
  }
  return rows;
}

// The shapes and types that take different paths through loading and the kernels.
struct Variant {
  const char* name;
  TestModel model;
  testing::WriteOptions options;
};

std::vector<Variant> variants() {
  return {
      {"distilbert", {}, {}},
      {"distilbert_odd_relu",
       {.hidden = 30,
        .heads = 5,
        .layers = 3,
        .intermediate = 77,
        .labels = 1,
        .activation = "relu"},
       {}},
      {"one_layer", {.hidden = 64, .heads = 2, .layers = 1, .intermediate = 128}, {}},
      {"bert", {.bert = true}, {}},
      {"bert_gelu_new_f16_sharded",
       {.bert = true, .hidden = 96, .heads = 4, .intermediate = 160, .activation = "gelu_new"},
       {.dtype = "F16", .shards = 3}},
      {"bf16_misaligned", {.hidden = 40, .heads = 4}, {.dtype = "BF16", .misalign = true}},
      {"f32_misaligned", {.bert = true, .hidden = 32, .heads = 4}, {.misalign = true}},
  };
}

void expect_near(const std::vector<float>& actual, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(actual[i]), expected[i], tolerance) << "at " << i;
  }
}

TEST(Encoder, ComputesWhatTheArchitectureDefines) {
  for (Variant& variant : variants()) {
    SCOPED_TRACE(variant.name);
    const TempFolder folder;
    randomize(&variant.model, 7);
    write_model(&variant.model, folder.path(), variant.options);
    const Model model = load(folder.path(), "", 2);
    ASSERT_NE(model, nullptr);
    Encoder encoder(model, 64);
    for (const Row& row : random_rows(6, variant.model.vocabulary, variant.model.positions, 3)) {
      const Output output = forward_alone(*model, encoder, row);
      const auto expected = slow_forward(variant.model, row.ids, row.types);
      expect_near(output.logits, expected.logits, 2e-5);
      expect_near(output.embedding, expected.embedding, 2e-5);
    }
  }
}

// Packs of shuffled rows, from all of them at once down to a few.
void expect_packs_change_nothing(const TextClassificationModel& model, const std::vector<Row>& rows,
                                 const std::vector<Output>& expected, size_t tokens_max) {
  const std::shared_ptr<const TextClassificationModel> shared(&model, [](const auto*) {});
  Encoder encoder(shared, tokens_max);
  std::mt19937 random(1);
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (int round = 0; round < 4; ++round) {
    std::vector<Row> pack;
    for (const size_t i : order) pack.push_back(rows[i]);
    pack.resize(rows.size() >> round);
    const std::vector<Output> outputs = forward(model, encoder, pack);
    for (size_t r = 0; r < pack.size(); ++r) {
      EXPECT_TRUE(outputs[r] == expected[order[r]]) << "row " << order[r] << " at " << r;
    }
    std::shuffle(order.begin(), order.end(), random);
  }
  EXPECT_TRUE(forward_alone(model, encoder, rows[0]) == expected[0]);
}

void expect_same_bits_everywhere(Precision precision) {
  for (Variant& variant : variants()) {
    SCOPED_TRACE(variant.name);
    const TempFolder folder;
    randomize(&variant.model, 11);
    write_model(&variant.model, folder.path(), variant.options);
    const std::vector<Row> rows =
        random_rows(24, variant.model.vocabulary, variant.model.positions, 5);
    std::vector<Output> expected;
    {
      const Model model = load(folder.path(), "reference", 1, precision);
      ASSERT_NE(model, nullptr);
      Encoder encoder(model, 0);
      for (const Row& row : rows) expected.push_back(forward_alone(*model, encoder, row));
    }
    for (const std::string& isa : nn::kernel_names()) {
      SCOPED_TRACE(isa);
      const Model model = load(folder.path(), isa, 2, precision);
      ASSERT_NE(model, nullptr);
      EXPECT_EQ(model->info().isa, isa);
      expect_packs_change_nothing(*model, rows, expected, rows.size() * variant.model.positions);
    }
  }
}

TEST(Encoder, ARowsBitsDoNotDependOnItsPackNorOnTheInstructionSet) {
  expect_same_bits_everywhere(Precision::kFp32);
}

TEST(Encoder, ARowsBitsDoNotDependOnItsPackNorOnTheInstructionSetInInt8) {
  expect_same_bits_everywhere(Precision::kInt8);
}

// Random models have no margin to speak of; what int8 changes of a real one is in precision_test.
TEST(Encoder, ComputesNearlyTheSameInInt8) {
  for (Variant& variant : variants()) {
    SCOPED_TRACE(variant.name);
    const TempFolder folder;
    randomize(&variant.model, 7);
    write_model(&variant.model, folder.path(), variant.options);
    const Model model = load(folder.path(), "", 2, Precision::kInt8);
    ASSERT_NE(model, nullptr);
    Encoder encoder(model, 64);
    for (const Row& row : random_rows(6, variant.model.vocabulary, variant.model.positions, 3)) {
      const Output output = forward_alone(*model, encoder, row);
      const auto expected = slow_forward(variant.model, row.ids, row.types);
      expect_near(output.logits, expected.logits, 0.5);
      double difference = 0;
      double size = 0;
      for (size_t i = 0; i < expected.embedding.size(); ++i) {
        difference += std::abs(static_cast<double>(output.embedding[i]) - expected.embedding[i]);
        size += std::abs(expected.embedding[i]);
      }
      EXPECT_LT(difference, 0.1 * size);
    }
  }
}

TEST(Encoder, GivesTheSameBitsWhereverTheWeightsLie) {
  TestModel test_model{.bert = true, .hidden = 48, .heads = 4};
  randomize(&test_model, 2);
  const TempFolder whole, sharded, misaligned;
  write_model(&test_model, whole.path());
  write_model(&test_model, sharded.path(), {.shards = 4});
  write_model(&test_model, misaligned.path(), {.misalign = true});
  const Row row = random_rows(1, 50, 40, 9)[0];
  std::vector<Output> outputs;
  for (const TempFolder* folder : {&whole, &sharded, &misaligned}) {
    const Model model = load(folder->path());
    ASSERT_NE(model, nullptr);
    Encoder encoder(model, 64);
    outputs.push_back(forward_alone(*model, encoder, row));
  }
  EXPECT_TRUE(outputs[1] == outputs[0]);
  EXPECT_TRUE(outputs[2] == outputs[0]);
}

TEST(Encoder, AnswersAPackWithoutRowsWithNothing) {
  TestModel test_model;
  randomize(&test_model, 2);
  const TempFolder folder;
  write_model(&test_model, folder.path());
  const Model model = load(folder.path());
  ASSERT_NE(model, nullptr);
  Encoder encoder(model, 8);
  const uint32_t zero = 0;
  encoder.forward({{}, {}, {&zero, 1}}, nullptr, nullptr);
}

fs::path test_data() {
  const char* set = std::getenv("MILLRACE_TEST_DATA");
  return set != nullptr ? fs::path(set) : fs::path(MILLRACE_SOURCE_DIR) / "../shared";
}

class ReferenceLogits : public ::testing::TestWithParam<const char*> {};

TEST_P(ReferenceLogits, AreWithin2e5OfPyTorchOnEveryInstructionSet) {
  const fs::path folder = test_data() / "models/tiny" / GetParam();
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not here (MILLRACE_TEST_DATA)";
  std::vector<nlohmann::json> lines;
  std::ifstream file(folder / "reference.jsonl");
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_FALSE(lines.empty());
  for (const std::string& isa : nn::kernel_names()) {
    const Model model = load(folder, isa, 2);
    ASSERT_NE(model, nullptr);
    Encoder encoder(model, 512);
    double worst = 0;
    for (const auto& line : lines) {
      Row row{line.at("input_ids").get<std::vector<int32_t>>(), {}};
      row.types.assign(row.ids.size(), 0);
      // Long rows once: the instruction sets agree bit for bit, and the slow one is very slow.
      if (row.ids.size() > 128 && isa != nn::kernel_names().front()) continue;
      const Output output = forward_alone(*model, encoder, row);
      const auto logits = line.at("logits").get<std::vector<double>>();
      expect_near(output.logits, logits, 2e-5);
      for (size_t i = 0; i < logits.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(output.logits[i]) - logits[i]));
      }
      const auto hidden = line.at("cls_hidden").back().get<std::vector<double>>();
      for (size_t i = 0; i < hidden.size(); ++i) {
        EXPECT_NEAR(static_cast<double>(output.embedding[i]), hidden[i], 2e-5);
      }
    }
    RecordProperty("largest_difference_" + isa, std::to_string(worst));
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, ReferenceLogits,
                         ::testing::Values("distilbert-tiny", "distilbert-odd", "bert-tiny"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace millrace::model
