#include "cli/cli.h"

#include <cstdio>
#include <fstream>
#include <iterator>

#include "cli/console.h"
#include "cli/signals.h"
#include "jobs/backends.h"
#include "jobs/model_artifact.h"
#include "jobs/model_request.h"
#include "jobs/user_folders.h"
#include "millrace/version.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Millrace runs a model over a data set in files or S3 and writes the results back: Amazon "
    "SageMaker Batch Transform on your own machines, with DistilBERT sentiment built in.";

constexpr const char* kFooter =
    "First job:\n"
    "  millrace transform --input reviews.csv --csv-header --text-column text \\\n"
    "      --join-source Input --output labelled.csv\n"
    "Exit status: 0 completed, 1 the job started and failed, 2 nothing was started, 130 "
    "interrupted.\n"
    "millrace COMMAND --help tells more.";

}  // namespace

std::vector<fs::path> Context::shipped_model_folders() const {
  std::vector<fs::path> folders;
  const auto set = environment.find("MILLRACE_MODELS_DIR");
  if (set != environment.end() && !set->second.empty()) folders.emplace_back(set->second);
  const fs::path bin = program.parent_path();
  folders.push_back((bin / "../share/millrace/models").lexically_normal());  // installed
  folders.push_back((bin / "../../models").lexically_normal());              // build/<preset>/
  return folders;
}

jobs::ArtifactOptions artifact_options(const Context& context) {
  jobs::ArtifactOptions options;
  options.shipped_model_folders = context.shipped_model_folders();
  options.cache_folder = jobs::cache_folder(context.environment) / "models";
  options.hub = jobs::hub_options(context.environment);
  options.hub.notice = [](std::string_view text) { say(text); };
  options.notice = options.hub.notice;
  options.make_store = [](const store::Location& location) {
    return jobs::make_store(location, jobs::JobSettings(), CancelToken());
  };
  return options;
}

Result<std::vector<jobs::StepLayer>> read_pipeline_file(const std::string& file) {
  MR_ASSIGN(const std::string text, read_file("--pipeline", file));
  auto steps = jobs::read_pipeline(text);
  if (!steps) return fail(std::move(steps).error().within("--pipeline " + file));
  return steps;
}

Result<std::string> read_file(const char* flag, std::string path) {
  if (path.starts_with("file://")) path.erase(0, 7);
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(invalid_argument(std::string(flag) + ": cannot read " + path));
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

Result<fs::path> model_folder(const std::string& model, const Context& context) {
  MR_ASSIGN(jobs::ModelArtifact artifact, jobs::find_model(model, artifact_options(context)));
  return artifact.folder;
}

int run(int argc, char** argv, const Context& context) {
  tell_of_exhaustion();
  CLI::App app(kDescription, "millrace");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("millrace ") + kVersion);
  app.require_subcommand(1);
  Run command;
  add_transform_command(&app, context, &command);
  add_classify_command(&app, context, &command);
  add_tokenize_command(&app, context, &command);
  add_model_command(&app, context, &command);
  add_serve_command(&app, context, &command);
  add_jobs_command(&app, context, &command);
  add_bench_command(&app, context, &command);
  add_supervise_command(&app, &command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kExitOk : kExitNotStarted;
  }
  const int status = command();
  if (std::fflush(stdout) != 0) {
    say("writing to standard output failed");
    return status == kExitOk ? kExitFailed : status;
  }
  return status;
}

}  // namespace millrace::cli
