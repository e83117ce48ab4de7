// How fast records are cut and joined on one core, in bytes of input, beside the naive ways.
#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "record/join.h"
#include "record/splitter.h"

namespace millrace::record {
namespace {

constexpr size_t kObjectBytes = 8 << 20;
constexpr size_t kBlockBytes = 1 << 20;

// Words of review length: 60 to 160 bytes a record.
std::string review(std::mt19937& random) {
  static constexpr const char* kWords[] = {"the",   "app",    "crashes", "great",  "I",
                                           "love",  "update", "since",   "driver", "was",
                                           "never", "again",  "easy"};
  std::string text;
  for (size_t words = 8 + random() % 20; words > 0; --words) {
    text += kWords[random() % std::size(kWords)];
    text += words > 1 ? " " : "";
  }
  return text;
}

std::string csv_object() {
  std::mt19937 random(1);
  std::string object = "id,version,score,text\n";
  for (int id = 0; object.size() < kObjectBytes; ++id) {
    object += std::to_string(id) + ",4.5.1,5,";
    // As pandas writes it: quoted only where it must be.
    object +=
        random() % 4 == 0 ? "\"" + review(random) + ", \"\"really\"\"\"\n" : review(random) + "\n";
  }
  return object;
}

std::vector<std::string> json_records() {
  std::mt19937 random(2);
  std::vector<std::string> records;
  for (int id = 0; id < 10000; ++id) {
    records.push_back("{\"id\": " + std::to_string(id) +
                      ", \"app\": \"uber\", \"version\": \"4.556.10005\", \"score\": 5, "
                      "\"date\": \"2024-12-18T17:17:00\", \"inputs\": \"" +
                      review(random) + "\"}");
  }
  return records;
}

void split(benchmark::State& state, const std::string& object, bool rfc4180) {
  DataFormat format;
  format.content_type = "text/csv";
  format.split_type = SplitType::kLine;
  format.csv.rfc4180 = rfc4180;
  for (auto _ : state) {
    const auto splitter = make_splitter(format, 0, 100'000'000);
    size_t contents = 0;
    const auto take = [&] {
      Record record;
      while (splitter->next(&record).value()) contents += record.content.size();
    };
    for (size_t at = 0; at < object.size(); at += kBlockBytes) {
      splitter->feed(std::string_view(object).substr(at, kBlockBytes));
      take();
    }
    splitter->finish();
    take();
    benchmark::DoNotOptimize(contents);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * object.size()));
}

void BM_SplitLines(benchmark::State& state) {
  split(state, csv_object(), false);
}
void BM_SplitCsv(benchmark::State& state) {
  split(state, csv_object(), true);
}

constexpr std::string_view kResult = R"([{"label":"POSITIVE","score":0.9598047137260437}])";

void BM_JoinJson(benchmark::State& state) {
  const auto records = json_records();
  JsonJoiner joiner;
  std::string out;
  size_t bytes = 0;
  for (auto _ : state) {
    out.clear();
    for (const std::string& record : records) {
      benchmark::DoNotOptimize(joiner.join(record, kResult, &out).has_value());
      bytes += record.size();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void BM_JoinJsonNlohmann(benchmark::State& state) {
  const auto records = json_records();
  size_t bytes = 0;
  for (auto _ : state) {
    std::string out;
    for (const std::string& record : records) {
      auto value = nlohmann::json::parse(record);
      value["SageMakerOutput"] = nlohmann::json::parse(kResult);
      out += value.dump();
      bytes += record.size();
    }
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void BM_JoinCsv(benchmark::State& state) {
  std::mt19937 random(3);
  std::vector<std::string> records;
  for (int i = 0; i < 10000; ++i) records.push_back("1,\"" + review(random) + "\",5");
  std::string out;
  size_t bytes = 0;
  for (auto _ : state) {
    out.clear();
    for (const std::string& record : records) {
      benchmark::DoNotOptimize(join_csv(record, "POSITIVE,0.95", {}, &out).has_value());
      bytes += record.size();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

BENCHMARK(BM_SplitLines)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitCsv)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinJson)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinJsonNlohmann)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinCsv)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::record
