// The engine alone: how fast a model loads, and how many sequences a second it computes for each
// size of pack. Texts are tokenised beforehand and sorted by length, each thread has an encoder of
// its own and takes the next pack; nothing else of the data path is there.
//   engine_bench MODEL_FOLDER TEXTS [--threads N] [--isa NAME] [--precision NAME] [--sequences N]
//                [--rounds N] [--tokens N,N,...] [--samples on]
// TEXTS has one text a line; a pack size of 0 means what jobs use. Prints one JSON line for the
// load and one for each pack size, which is the median of the rounds; with --samples a last line
// says where the time went (bench/sampler.h).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "bench/sampler.h"
#include "model/text_classification_model.h"

namespace {

using Clock = std::chrono::steady_clock;
using millrace::model::Encoder;
using millrace::model::Encoding;
using millrace::model::Precision;
using millrace::model::TextClassificationModel;
using Model = std::shared_ptr<const TextClassificationModel>;

struct Settings {
  std::string model;
  std::string texts;
  std::string isa;
  Precision precision = Precision::kFp32;
  int threads = 2;
  int rounds = 3;
  size_t sequences = 872;
  std::vector<size_t> tokens = {64, 128, 192, 256, 384, 512, 1024};
  bool samples = false;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Processor time of all threads: what a measurement means where others use the machine too.
double core_seconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Rows that go through the encoder together.
struct PackData {
  std::vector<int32_t> ids;
  std::vector<uint8_t> types;
  std::vector<uint32_t> offsets = {0};
};

std::vector<Encoding> tokenize(const TextClassificationModel& model, const Settings& settings) {
  std::vector<Encoding> rows;
  std::ifstream file(settings.texts);
  for (std::string line; rows.size() < settings.sequences && std::getline(file, line);) {
    model.tokenizer()->encode(line, model.max_length(), &rows.emplace_back());
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Encoding& a, const Encoding& b) {
    return a.ids.size() > b.ids.size();
  });
  return rows;
}

std::vector<PackData> make_packs(const std::vector<Encoding>& rows, size_t tokens_max) {
  std::vector<PackData> packs;
  for (const Encoding& row : rows) {
    if (packs.empty() || packs.back().ids.size() + row.ids.size() > tokens_max) {
      packs.emplace_back();
    }
    PackData& pack = packs.back();
    pack.ids.insert(pack.ids.end(), row.ids.begin(), row.ids.end());
    pack.types.insert(pack.types.end(), row.token_type_ids.begin(), row.token_type_ids.end());
    pack.offsets.push_back(static_cast<uint32_t>(pack.ids.size()));
  }
  return packs;
}

double run_once(const TextClassificationModel& model, std::vector<Encoder>& encoders,
                const std::vector<PackData>& packs) {
  std::atomic<size_t> next{0};
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (Encoder& encoder : encoders) {
      threads.emplace_back([&] {
        std::vector<float> logits;
        for (size_t i = next++; i < packs.size(); i = next++) {
          const PackData& pack = packs[i];
          logits.resize((pack.offsets.size() - 1) * model.info().labels.size());
          encoder.forward({pack.ids, pack.types, pack.offsets}, logits.data(), nullptr);
        }
      });
    }
  }
  return seconds_since(start);
}

void measure(const Model& model, const std::vector<Encoding>& rows, size_t tokens_max,
             const Settings& settings) {
  const std::vector<PackData> packs = make_packs(rows, tokens_max);
  std::vector<Encoder> encoders;
  encoders.reserve(static_cast<size_t>(settings.threads));
  for (int i = 0; i < settings.threads; ++i) encoders.emplace_back(model, tokens_max);
  std::vector<double> seconds;
  const double cores_before = core_seconds();
  for (int round = 0; round < settings.rounds; ++round) {
    seconds.push_back(run_once(*model, encoders, packs));
  }
  const double cores = (core_seconds() - cores_before) / settings.rounds;
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  size_t tokens = 0;
  for (const Encoding& row : rows) tokens += row.ids.size();
  const nlohmann::ordered_json line = {
      {"pack_tokens", tokens_max},
      {"sequences_per_s", static_cast<double>(rows.size()) / median},
      {"tokens_per_s", static_cast<double>(tokens) / median},
      {"best_sequences_per_s", static_cast<double>(rows.size()) / seconds.front()},
      {"sequences_per_core_s", static_cast<double>(rows.size()) / cores},
      {"sequences", rows.size()},
      {"tokens", tokens},
      {"packs", packs.size()},
      {"threads", settings.threads},
      {"isa", model->info().isa},
      {"precision", millrace::model::precision_name(model->info().precision)}};
  std::cout << line.dump() << std::endl;
}

bool parse_precision(const std::string& name, Precision* precision) {
  for (const Precision one : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    if (name != millrace::model::precision_name(one)) continue;
    *precision = one;
    return true;
  }
  return false;
}

std::vector<size_t> parse_sizes(const std::string& value) {
  std::vector<size_t> sizes;
  std::istringstream list(value);
  for (std::string item; std::getline(list, item, ',');) {
    const size_t size = std::strtoull(item.c_str(), nullptr, 10);
    sizes.push_back(size == 0 ? millrace::limits::kPackTokensMax : size);
  }
  return sizes;
}

bool parse(int argc, char** argv, Settings* settings) {
  if (argc < 3 || argc % 2 == 0) return false;
  settings->model = argv[1];
  settings->texts = argv[2];
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    if (flag == "--threads") {
      settings->threads = std::atoi(value.c_str());
    } else if (flag == "--rounds") {
      settings->rounds = std::atoi(value.c_str());
    } else if (flag == "--sequences") {
      settings->sequences = std::strtoull(value.c_str(), nullptr, 10);
    } else if (flag == "--isa") {
      settings->isa = value;
    } else if (flag == "--tokens") {
      settings->tokens = parse_sizes(value);
    } else if (flag == "--samples") {
      settings->samples = value == "on";
    } else if (flag == "--precision") {
      if (!parse_precision(value, &settings->precision)) return false;
    } else {
      return false;
    }
  }
  return settings->threads > 0 && settings->rounds > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (!parse(argc, argv, &settings)) {
    std::cerr << "usage: engine_bench MODEL_FOLDER TEXTS [--threads N] [--isa NAME] "
                 "[--precision fp32|bf16|int8] [--sequences N] [--rounds N] [--tokens N,N,...] "
                 "[--samples on]\n";
    return 2;
  }
  const auto start = Clock::now();
  const double cores_before = core_seconds();
  const auto model = TextClassificationModel::load(
      settings.model,
      {.precision = settings.precision, .isa = settings.isa, .threads = settings.threads});
  if (!model) {
    std::cerr << settings.model << ": " << model.error().message << "\n";
    return 2;
  }
  const nlohmann::ordered_json load = {{"load_s", seconds_since(start)},
                                       {"load_core_s", core_seconds() - cores_before},
                                       {"digest", (*model)->info().digest}};
  std::cout << load.dump() << std::endl;
  if ((*model)->tokenizer() == nullptr) {
    std::cerr << settings.model << ": it has no tokenizer\n";
    return 2;
  }
  const std::vector<Encoding> rows = tokenize(**model, settings);
  if (rows.empty()) {
    std::cerr << settings.texts << ": no texts\n";
    return 2;
  }
  if (settings.samples) millrace::bench::start_sampling();
  for (const size_t tokens : settings.tokens) measure(*model, rows, tokens, settings);
  if (settings.samples) {
    std::cout << nlohmann::json{{"samples", millrace::bench::stop_sampling()}} << std::endl;
  }
  return 0;
}
