// `millrace bench`: the engine alone on a file of texts, one a line.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <thread>

#include "cli/cli.h"
#include "cli/console.h"
#include "handler/compare_results.h"
#include "handler/measure_engine.h"
#include "jobs/backends.h"

namespace millrace::cli {
namespace {

struct BenchArguments {
  std::string model;
  std::string input;
  std::string precision = "fp32";
  int threads = 0;
  bool dedup = false;
  bool compare_precisions = false;
};

// What all measurements of one command share.
struct Bench {
  jobs::ModelArtifact artifact;
  std::vector<std::string> texts;
  int threads = 0;  // 0: one for each core
  bool dedup = false;
  const jobs::Variables* environment = nullptr;
};

struct Measured {
  jobs::LoadedModel loaded;
  handler::EngineMeasurement engine;
  int threads = 0;
};

Result<std::vector<std::string>> read_lines(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(invalid_argument("--input: cannot read " + path));
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(in, line, '\n')) lines.push_back(line);
  if (lines.empty()) return fail(invalid_argument("--input: " + path + " holds no lines"));
  return lines;
}

Result<Bench> prepare(const BenchArguments& arguments, const Context& context) {
  Bench bench;
  MR_ASSIGN(const auto folder, model_folder(arguments.model, context));
  bench.artifact = {folder, arguments.model};
  MR_ASSIGN(bench.texts, read_lines(arguments.input));
  bench.threads = arguments.threads;
  bench.dedup = arguments.dedup;
  bench.environment = &context.environment;
  return bench;
}

Result<Measured> measure(const Bench& bench, const std::string& precision) {
  jobs::SettingLayers layers;
  layers.process_environment = *bench.environment;
  layers.flags["PRECISION"] = precision;
  if (bench.threads > 0) layers.flags["THREADS"] = std::to_string(bench.threads);
  MR_ASSIGN(const jobs::Settings merged, jobs::merge_settings(layers));
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  MR_ASSIGN(const jobs::JobSettings settings, jobs::check_settings(merged, cores));
  Measured measured;
  measured.threads = settings.threads;
  MR_ASSIGN(measured.loaded, jobs::load_model(bench.artifact, settings));
  MR_ASSIGN(measured.engine, handler::measure_engine(measured.loaded.model, bench.texts,
                                                     settings.threads, bench.dedup));
  return measured;
}

double rounded(double x) {
  return std::round(x * 100) / 100;
}

double sequences_per_s(const Measured& measured) {
  return static_cast<double>(measured.engine.sequences) / measured.engine.seconds;
}

nlohmann::ordered_json to_json(const Measured& measured) {
  const handler::EngineMeasurement& m = measured.engine;
  nlohmann::ordered_json json;
  json["sequences_per_s"] = rounded(sequences_per_s(measured));
  json["tokens_per_s"] = rounded(static_cast<double>(m.tokens) / m.seconds);
  json["sequences"] = m.sequences;
  json["tokens"] = m.tokens;
  json["seconds"] = m.seconds;
  json["tokenize_seconds"] = m.tokenize_seconds;
  json["duplicates"] = m.duplicates;
  json["precision"] = model::precision_name(measured.loaded.model->info().precision);
  json["isa"] = measured.loaded.model->info().isa;
  json["threads"] = measured.threads;
  return json;
}

// Records whose label changes that are shown.
constexpr size_t kExamplesMax = 5;

// Texts whose result is no number, which are not compared.
size_t without_numbers(const Measured& measured, size_t labels) {
  const std::vector<float>& logits = measured.engine.logits;
  size_t count = 0;
  for (size_t begin = 0; begin + labels <= logits.size(); begin += labels) {
    const auto row = std::span(logits).subspan(begin, labels);
    if (!std::ranges::all_of(row, [](float x) { return std::isfinite(x); })) ++count;
  }
  return count;
}

// What `measured` changes against fp32, beside its speed.
void add_difference(const Measured& fp32, const Measured& measured, nlohmann::ordered_json* json) {
  const handler::NativeContext context(fp32.loaded.model, fp32.loaded.options);
  const size_t labels = context.label_count();
  const auto difference =
      handler::compare_results(context, fp32.engine.logits, measured.engine.logits);
  (*json)["speed_over_fp32"] = rounded(sequences_per_s(measured) / sequences_per_s(fp32));
  (*json)["labels_changed"] = difference.changed.size();
  (*json)["largest_score_change"] = difference.largest_score_change;
  (*json)["mean_score_change"] = difference.mean_score_change;
  const size_t numberless = without_numbers(measured, labels);
  if (numberless > 0) (*json)["not_a_number"] = numberless;
  auto examples = nlohmann::ordered_json::array();
  for (const size_t i : difference.changed) {
    if (examples.size() == kExamplesMax) break;
    const auto label_in = [&](const Measured& m) {
      return handler::label_given(context, std::span(m.engine.logits).subspan(i * labels, labels));
    };
    examples.push_back({{"line", i + 1}, {"fp32", label_in(fp32)}, {"here", label_in(measured)}});
  }
  (*json)["changed"] = std::move(examples);
}

// A precision that this version or this machine does not have is reported, not an error.
nlohmann::ordered_json unavailable(const std::string& precision, const std::string& why) {
  return {{"precision", precision}, {"unavailable", why}};
}

Status compare_precisions(const Bench& bench) {
  MR_ASSIGN(const Measured fp32, measure(bench, "fp32"));
  for (const std::string precision : {"fp32", "bf16", "int8"}) {
    nlohmann::ordered_json json;
    const auto other = precision == "fp32" ? Result<Measured>(fp32) : measure(bench, precision);
    if (!other) {
      json = unavailable(precision, other.error().message);
    } else if (model::precision_name(other->loaded.model->info().precision) != precision) {
      json = unavailable(precision, "this machine does not have it; a job would compute in fp32");
    } else {
      json = to_json(*other);
      add_difference(fp32, *other, &json);
    }
    put(json.dump() + "\n");
  }
  return {};
}

Status bench_one(const Bench& bench, const std::string& precision) {
  MR_ASSIGN(const Measured measured, measure(bench, precision));
  const std::string& notice = measured.loaded.model->info().notice;
  if (!notice.empty()) say("note: " + notice);
  put(to_json(measured).dump() + "\n");
  return {};
}

int run_bench(const BenchArguments& arguments, const Context& context) {
  const auto bench = prepare(arguments, context);
  if (!bench) return refuse(bench.error());
  const Status status = arguments.compare_precisions ? compare_precisions(*bench)
                                                     : bench_one(*bench, arguments.precision);
  if (!status) return refuse(status.error());
  return kExitOk;
}

}  // namespace

void add_bench_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* command = app->add_subcommand(
      "bench", "Measure the engine alone on a file of texts; prints one JSON line");
  auto arguments = std::make_shared<BenchArguments>();
  command->add_option("--model", arguments->model, "The model (default: sst2-small)")
      ->type_name("MODEL");
  command->add_option("--input", arguments->input, "One text a line")
      ->type_name("FILE")
      ->required();
  CLI::Option* precision =
      command->add_option("--precision", arguments->precision, "Arithmetic (default: fp32)")
          ->type_name("fp32|bf16|int8");
  command
      ->add_flag("--compare-precisions", arguments->compare_precisions,
                 "Measure each precision: its speed, how many labels it changes and how far it "
                 "moves scores on these texts; one JSON line each")
      ->excludes(precision);
  command->add_option("--threads", arguments->threads, "Encoders (default: one for each core)")
      ->type_name("N");
  command->add_flag("--dedup", arguments->dedup,
                    "Answer exact duplicates once, as jobs do (default: count them as work)");
  command->callback(
      [=, &context] { *run = [=, &context] { return run_bench(*arguments, context); }; });
}

}  // namespace millrace::cli
