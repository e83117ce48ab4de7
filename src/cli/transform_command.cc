// `millrace transform`: runs one job in the foreground.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/dry_run_view.h"
#include "cli/precision_hint.h"
#include "cli/progress_view.h"
#include "cli/signals.h"
#include "handler/native_options.h"
#include "jobs/api_request.h"
#include "jobs/job_report.h"
#include "jobs/run_transform.h"

namespace millrace::cli {
namespace {

// What the parser fills.
struct TransformArguments {
  std::map<std::string, std::string> values;  // by option name
  std::map<std::string, bool> switches;
  std::vector<std::string> models;  // one, or those of a pipeline in order
  std::optional<std::string> pipeline;
  std::vector<std::string> environment;  // KEY=VALUE
  std::string cli_input_json;
};

// One model is a setting like others; several are the steps of a pipeline.
Status take_models(const TransformArguments& arguments, jobs::SettingLayers* layers) {
  const std::vector<std::string>& models = arguments.models;
  layers->local_steps = true;
  if (arguments.pipeline) {
    if (!models.empty()) {
      return fail(invalid_argument("--pipeline names the models; --model does not go with it"));
    }
    MR_ASSIGN(layers->steps, read_pipeline_file(*arguments.pipeline));
    return {};
  }
  if (models.size() == 1) layers->flags["MODEL"] = models.front();
  if (models.size() < limits::kPipelineStepsMin) return {};
  if (models.size() > limits::kPipelineStepsMax) {
    return fail(invalid_argument(fmt::format("--model: a pipeline has at most {} steps, not {}",
                                             limits::kPipelineStepsMax, models.size())));
  }
  for (const std::string& model : models) {
    if (model.empty()) return fail(invalid_argument("--model: a step of a pipeline has no name"));
    layers->steps.push_back({"", model, "", {}});
  }
  return {};
}

Result<jobs::SettingLayers> layers_of(const TransformArguments& arguments, CLI::App* command,
                                      const Context& context) {
  jobs::SettingLayers layers;
  for (const auto& [name, value] : arguments.values) {
    if (command->count(jobs::flag_name(name)) > 0) layers.flags[name] = value;
  }
  for (const auto& [name, on] : arguments.switches) {
    if (on) layers.flags[name] = "true";
  }
  MR_TRY(take_models(arguments, &layers));
  if (!arguments.cli_input_json.empty()) {
    MR_ASSIGN(const std::string text, read_file("--cli-input-json", arguments.cli_input_json));
    auto request = jobs::parse_api_request(text);
    if (!request) return fail(std::move(request).error().within("--cli-input-json"));
    layers.api_members = std::move(request->members);
    layers.job_environment = std::move(request->environment);
  }
  for (const std::string& pair : arguments.environment) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(invalid_argument("--env: expected KEY=VALUE, not '" + pair + "'"));
    }
    layers.job_environment[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  layers.process_environment = context.environment;
  return layers;
}

// The last line of stdout, which scripts read.
std::string summary_line(const jobs::TransformOutcome& outcome,
                         std::chrono::steady_clock::time_point started) {
  const transform::JobReport& report = outcome.report;
  nlohmann::ordered_json json;
  json["status"] = jobs::status_name(report.status);
  json["objects"] = report.objects.size();
  json["records"] = report.records;
  json["failed_objects"] = report.failed_objects;
  json["failed_records"] = report.failed_records;
  json["resumed_records"] = report.resumed_records;
  json["kept_objects"] = report.kept_objects;
  json["truncated"] = report.counts.truncated;
  json["duplicates"] = report.counts.duplicates;
  json["cached"] = report.counts.cached;
  json["empty"] = report.counts.empty;
  json["invalid_utf8"] = report.counts.invalid_utf8;
  json["not_model_language"] = report.counts.not_model_language;
  json["seconds"] = std::round(report.seconds * 1000) / 1000;
  const double rate = report.seconds > 0 ? static_cast<double>(report.records) / report.seconds : 0;
  json["records_per_s"] = std::round(rate * 10) / 10;
  if (outcome.first_inference) {
    const std::chrono::duration<double> startup = *outcome.first_inference - started;
    json["startup_seconds"] = std::round(startup.count() * 1000) / 1000;
  }
  json["model"] = outcome.model_name;
  if (outcome.model) {
    json["model_digest"] = outcome.model->digest;
    json["precision"] = model::precision_name(outcome.model->precision);
    json["isa"] = outcome.model->isa;
  }
  if (!outcome.steps.empty()) json["steps"] = jobs::steps_json(outcome.steps);
  json["job_name"] = outcome.job_name;
  return json.dump() + "\n";
}

// Above this share of records outside the model's languages the user is warned.
constexpr double kLanguageWarningShare = 0.05;

void say_warnings(const jobs::TransformOutcome& outcome) {
  const auto& counts = outcome.report.counts;
  if (counts.rows == 0 || !outcome.model) return;
  const double share =
      static_cast<double>(counts.not_model_language) / static_cast<double>(counts.rows);
  if (share > kLanguageWarningShare) {
    say(fmt::format(
        "warning: {} of {} texts ({:.1f}%) are not written as the model's languages are "
        "({}): another script, or letters of another language; the results of these "
        "texts are not to be trusted",
        counts.not_model_language, counts.rows, share * 100,
        fmt::join(outcome.model->languages, ", ")));
  }
  if (counts.truncated > 0) {
    say(fmt::format("note: {} texts were longer than the model reads and were truncated",
                    counts.truncated));
  }
  if (counts.invalid_utf8 > 0) {
    say(
        fmt::format("note: {} texts held bytes that are not UTF-8, which were replaced (--encoding "
                    "says what else the input is written in)",
                    counts.invalid_utf8));
  }
}

int report_end(const jobs::TransformOutcome& outcome, const Context& context) {
  for (const auto& object : outcome.report.objects) {
    if (!object.error.empty()) say(object.error);
  }
  say_warnings(outcome);
  for (const std::string& notice : outcome.notices) say("note: " + notice);
  if (outcome.capture_problem) say(outcome.capture_problem->message);
  if (!outcome.report_problem.empty()) say(outcome.report_problem);
  if (const auto hint = precision_hint(outcome)) say(*hint);
  using Status = transform::JobReport::Status;
  const Status status = outcome.report.status;
  if (status != Status::kCompleted) {
    say(fmt::format("job {} {} (work area: {})", outcome.job_name,
                    status == Status::kStopped
                        ? "was stopped; run the same command again to go on"
                        : "failed; with the causes mended, the same command does what is missing",
                    outcome.work_area));
  }
  put(summary_line(outcome, context.started));
  if (status == Status::kStopped) return kExitInterrupted;
  const bool all_done =
      status == Status::kCompleted && outcome.report_problem.empty() && !outcome.capture_problem;
  return all_done ? kExitOk : kExitFailed;
}

// "": nobody said it.
std::string said(const jobs::Settings& merged, const char* name) {
  return jobs::setting_value(merged, name).value_or("");
}

int run_transform_command(const TransformArguments& arguments, CLI::App* command,
                          const Context& context) {
  auto layers = layers_of(arguments, command, context);
  if (!layers) return refuse(layers.error());
  const auto merged = jobs::merge_settings(*layers);
  if (!merged) return refuse(merged.error());
  ProgressView view(progress_style(said(*merged, "PROGRESS")));
  jobs::TransformRequest request;
  request.layers = std::move(*layers);
  request.environment = context.environment;
  request.program = context.program;
  request.shipped_model_folders = context.shipped_model_folders();
  request.progress = [&view](const transform::Progress& p) { view.show(p); };
  request.notice = [&view](std::string_view text) { view.say_beside(text); };
  cancel_on_signals(request.cancel);
  const std::string dry = said(*merged, "DRY_RUN");
  if (dry == "true" || dry == "1") return show_dry_run(request);
  const auto outcome = jobs::run_transform(request);
  view.finish();
  if (!outcome) {
    say(outcome.error().message);
    return request.cancel.cancelled() ? kExitInterrupted : kExitNotStarted;
  }
  return report_end(*outcome, context);
}

const char* group_of(const jobs::JobOption& option) {
  for (const auto& native : handler::native_option_help()) {
    if (std::string_view(jobs::option_of_native(native.name)) == option.name) return "Native model";
  }
  return option.local_only ? "This machine" : "Batch Transform";
}

}  // namespace

void add_transform_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* command = app->add_subcommand(
      "transform", "Run a model over objects and write one result object for each");
  command->footer(
      "Every setting but those of this machine is also a variable of the job's Environment "
      "(--env)\n"
      "and of the process: --text-column is MILLRACE_TEXT_COLUMN.\n"
      "What is not given is inferred from the objects' names (.jsonl .ndjson .csv .tsv .txt "
      ".json .parquet).\n"
      "Progress goes to stderr; the last line of stdout is a JSON summary.");
  auto arguments = std::make_shared<TransformArguments>();
  for (const jobs::JobOption& option : jobs::job_options()) {
    const std::string flag = jobs::flag_name(option.name);
    CLI::Option* added = nullptr;
    if (option.name == std::string_view("MODEL")) {
      added = command->add_option(flag, arguments->models,
                                  std::string(option.help) + "; given several times: a pipeline");
      added->type_name(option.values)->allow_extra_args(false);
    } else if (*option.values == '\0') {
      added = command->add_flag(flag, arguments->switches[option.name], option.help);
    } else {
      added = command->add_option(flag, arguments->values[option.name], option.help);
      added->type_name(option.values);
    }
    added->group(group_of(option));
  }
  command->add_option("--env", arguments->environment, "A variable of the job's Environment")
      ->type_name("KEY=VALUE")
      ->group("Batch Transform")
      ->allow_extra_args(false);
  command
      ->add_option("--pipeline", arguments->pipeline,
                   "A pipeline whose steps have settings of their own: a CreateModel request, or "
                   "what describe-model prints, with Containers (see docs/pipelines.md)")
      ->type_name("FILE")
      ->group("This machine");
  command
      ->add_option("--cli-input-json", arguments->cli_input_json,
                   "A CreateTransformJob request as the AWS CLI takes it; flags override it")
      ->type_name("FILE")
      ->group("Batch Transform");
  command->callback([=, &context] {
    *run = [=, &context] { return run_transform_command(*arguments, command, context); };
  });
}

}  // namespace millrace::cli
