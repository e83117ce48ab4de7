// `millrace bench`: the engine alone on a file of texts, one a line.
#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/cli.h"
#include "cli/console.h"
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

Result<std::string> measure(const BenchArguments& arguments, const Context& context) {
  jobs::SettingLayers layers;
  layers.process_environment = context.environment;
  layers.flags["PRECISION"] = arguments.precision;
  if (arguments.threads > 0) layers.flags["THREADS"] = std::to_string(arguments.threads);
  MR_ASSIGN(const jobs::Settings merged, jobs::merge_settings(layers));
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  MR_ASSIGN(const jobs::JobSettings settings, jobs::check_settings(merged, cores));
  MR_ASSIGN(const auto folder, model_folder(arguments.model, context));
  MR_ASSIGN(const auto texts, read_lines(arguments.input));
  MR_ASSIGN(const jobs::LoadedModel loaded, jobs::load_model({folder, arguments.model}, settings));
  MR_ASSIGN(const handler::EngineMeasurement m,
            handler::measure_engine(loaded.model, texts, settings.threads, arguments.dedup));
  const auto rounded = [](double x) { return std::round(x * 100) / 100; };
  nlohmann::ordered_json json;
  json["sequences_per_s"] = rounded(static_cast<double>(m.sequences) / m.seconds);
  json["tokens_per_s"] = rounded(static_cast<double>(m.tokens) / m.seconds);
  json["sequences"] = m.sequences;
  json["tokens"] = m.tokens;
  json["seconds"] = m.seconds;
  json["tokenize_seconds"] = m.tokenize_seconds;
  json["duplicates"] = m.duplicates;
  json["precision"] = model::precision_name(loaded.model->info().precision);
  json["isa"] = loaded.model->info().isa;
  json["threads"] = settings.threads;
  return json.dump() + "\n";
}

int run_bench(const BenchArguments& arguments, const Context& context) {
  const auto line = measure(arguments, context);
  if (!line) return refuse(line.error());
  put(*line);
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
  command->add_option("--precision", arguments->precision, "Arithmetic (default: fp32)")
      ->type_name("fp32|bf16|int8");
  command->add_option("--threads", arguments->threads, "Encoders (default: one for each core)")
      ->type_name("N");
  command->add_flag("--dedup", arguments->dedup,
                    "Answer exact duplicates once, as jobs do (default: count them as work)");
  command->callback(
      [=, &context] { *run = [=, &context] { return run_bench(*arguments, context); }; });
}

}  // namespace millrace::cli
