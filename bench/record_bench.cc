// How fast records are cut and joined on one core, in bytes of input, beside the naive ways.
#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "record/crc32c.h"
#include "record/decoder.h"
#include "record/join.h"
#include "record/record_filter.h"
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

DataFormat csv_format(bool rfc4180) {
  DataFormat format;
  format.content_type = "text/csv";
  format.split_type = SplitType::kLine;
  format.csv.rfc4180 = rfc4180;
  return format;
}

DataFormat json_format(SplitType split_type) {
  DataFormat format;
  format.content_type =
      split_type == SplitType::kLine ? "application/jsonlines" : "application/json";
  format.split_type = split_type;
  return format;
}

void split(benchmark::State& state, const std::string& object, const DataFormat& format) {
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

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// The JSON records in frames, or as lines or an array.
std::string json_object(SplitType split_type) {
  std::string object = split_type == SplitType::kJsonArray ? "[" : "";
  while (object.size() < kObjectBytes) {
    for (const std::string& record : json_records()) {
      if (split_type == SplitType::kTfRecord) {
        const std::string length = little_endian(record.size(), 8);
        object += length + little_endian(masked_crc32c(length), 4) + record +
                  little_endian(masked_crc32c(record), 4);
      } else if (split_type == SplitType::kRecordIo) {
        object += little_endian(0xCED7230A, 4) + little_endian(record.size(), 4) + record;
        object.resize((object.size() + 3) / 4 * 4);
      } else {
        object += record + (split_type == SplitType::kJsonArray ? ",\n" : "\n");
      }
    }
  }
  if (split_type == SplitType::kJsonArray) object.replace(object.size() - 2, 2, "]\n");
  return object;
}

void BM_SplitLines(benchmark::State& state) {
  split(state, csv_object(), csv_format(false));
}
void BM_SplitCsv(benchmark::State& state) {
  split(state, csv_object(), csv_format(true));
}
void BM_SplitJsonLines(benchmark::State& state) {
  split(state, json_object(SplitType::kLine), json_format(SplitType::kLine));
}
void BM_SplitJsonArray(benchmark::State& state) {
  split(state, json_object(SplitType::kJsonArray), json_format(SplitType::kJsonArray));
}
void BM_SplitTfRecord(benchmark::State& state) {
  split(state, json_object(SplitType::kTfRecord), json_format(SplitType::kTfRecord));
}
void BM_SplitRecordIo(benchmark::State& state) {
  split(state, json_object(SplitType::kRecordIo), json_format(SplitType::kRecordIo));
}

void BM_Crc32cByInstruction(benchmark::State& state) {
  const std::string object = csv_object();
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(object));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * object.size()));
}
void BM_Crc32cByTable(benchmark::State& state) {
  const std::string object = csv_object();
  for (auto _ : state) benchmark::DoNotOptimize(crc32c_by_table(object));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * object.size()));
}

// Bytes of the object as it is stored; every fiftieth character is no ASCII.
void decode(benchmark::State& state, TextEncoding encoding) {
  const bool wide = encoding == TextEncoding::kUtf16Le;
  std::string object;
  for (const char c : csv_object()) {
    object += object.size() % 50 == 0 ? '\xE9' : c;
    if (wide) object += '\0';
  }
  std::string out(kBlockBytes, '\0');
  for (auto _ : state) {
    const auto decoder = make_text_decoder(encoding);
    std::string_view in = object;
    while (decoder->decode(&in, false, out).value() > 0) benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * object.size()));
}
void BM_DecodeCp1252(benchmark::State& state) {
  decode(state, TextEncoding::kCp1252);
}
void BM_DecodeCp1258(benchmark::State& state) {
  decode(state, TextEncoding::kCp1258);
}
void BM_DecodeUtf16(benchmark::State& state) {
  decode(state, TextEncoding::kUtf16Le);
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

std::vector<std::string> csv_records() {
  std::mt19937 random(3);
  std::vector<std::string> records;
  for (int id = 0; id < 10000; ++id) {
    const std::string text = review(random);
    records.push_back(std::to_string(id) + ",4.5.1,5," +
                      (random() % 4 == 0 ? "\"" + text + ", \"\"really\"\"\"" : text));
  }
  return records;
}

void filter(benchmark::State& state, const std::vector<std::string>& records, const char* text,
            MediaType media) {
  RecordFilter filter("InputFilter", parse_json_path(text, JsonPathMode::kSageMaker).value(), media,
                      ',');
  std::string out;
  size_t bytes = 0;
  for (auto _ : state) {
    out.clear();
    for (const std::string& record : records) {
      benchmark::DoNotOptimize(filter.select(record, &out).has_value());
      bytes += record.size();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void BM_FilterCsv(benchmark::State& state) {
  filter(state, csv_records(), "$[1:]", MediaType::kCsv);
}
void BM_FilterCsvColumns(benchmark::State& state) {
  filter(state, csv_records(), "$[0,-1]", MediaType::kCsv);
}
void BM_FilterJsonValue(benchmark::State& state) {
  filter(state, json_records(), "$.inputs", MediaType::kJsonLines);
}
void BM_FilterJsonMembers(benchmark::State& state) {
  filter(state, json_records(), "$['id','inputs']", MediaType::kJsonLines);
}

void BM_JoinAndFilterJson(benchmark::State& state) {
  const auto records = json_records();
  const auto path = parse_json_path("$['id','SageMakerOutput']", JsonPathMode::kSageMaker).value();
  RecordFilter filter("OutputFilter", path, MediaType::kJsonLines, ',');
  JsonJoiner joiner;
  std::string joined;
  std::string out;
  size_t bytes = 0;
  for (auto _ : state) {
    out.clear();
    for (const std::string& record : records) {
      joined.clear();
      benchmark::DoNotOptimize(joiner.join(record, kResult, &joined).has_value());
      benchmark::DoNotOptimize(filter.select_joined(joined, &out).has_value());
      bytes += record.size();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void BM_JoinAndFilterCsv(benchmark::State& state) {
  const auto records = csv_records();
  const auto path = parse_json_path("$[0,-1]", JsonPathMode::kSageMaker).value();
  RecordFilter filter("OutputFilter", path, MediaType::kCsv, ',');
  std::string joined;
  std::string out;
  size_t bytes = 0;
  for (auto _ : state) {
    out.clear();
    for (const std::string& record : records) {
      joined.clear();
      benchmark::DoNotOptimize(join_csv(record, "POSITIVE,0.95", {}, &joined).has_value());
      benchmark::DoNotOptimize(filter.select_joined(joined, &out).has_value());
      bytes += record.size();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

BENCHMARK(BM_FilterCsv)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_FilterCsvColumns)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_FilterJsonValue)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_FilterJsonMembers)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinAndFilterJson)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinAndFilterCsv)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitLines)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitCsv)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitJsonLines)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitJsonArray)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitTfRecord)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SplitRecordIo)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Crc32cByInstruction)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Crc32cByTable)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeCp1252)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeCp1258)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeUtf16)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinJson)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinJsonNlohmann)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JoinCsv)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::record
