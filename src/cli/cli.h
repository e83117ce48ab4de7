// The command line: `millrace COMMAND ...`. One file for each command; each adds itself to the
// parser and leaves the function that runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "jobs/job_options.h"
#include "jobs/model_artifact.h"

namespace millrace::cli {

// Exit statuses that scripts rely on.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;      // the job started and failed
inline constexpr int kExitNotStarted = 2;  // usage, settings, model, credentials, no input, ...
inline constexpr int kExitInterrupted = 130;

// What the process was started with.
struct Context {
  jobs::Variables environment;
  std::filesystem::path program;  // this executable
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  // Where models that ship with the program lie, in the order to look.
  std::vector<std::filesystem::path> shipped_model_folders() const;
};

// Set by the command that the user named; run after parsing.
using Run = std::function<int()>;

void add_transform_command(CLI::App* app, const Context& context, Run* run);
void add_tokenize_command(CLI::App* app, const Context& context, Run* run);
void add_classify_command(CLI::App* app, const Context& context, Run* run);
void add_model_command(CLI::App* app, const Context& context, Run* run);
void add_bench_command(CLI::App* app, const Context& context, Run* run);
void add_model_pull_command(CLI::App* model, const Context& context, Run* run);
void add_model_convert_command(CLI::App* model, const Context& context, Run* run);
void add_model_serve_command(CLI::App* model, const Context& context, Run* run);
void add_serve_command(CLI::App* app, const Context& context, Run* run);
void add_jobs_command(CLI::App* app, const Context& context, Run* run);
void add_jobs_clean_command(CLI::App* jobs, const Context& context, Run* run);
void add_supervise_command(CLI::App* app, Run* run);

// Where models come from and are kept, for the user of this process.
jobs::ArtifactOptions artifact_options(const Context& context);
// The text of a file that `flag` names, with or without file://.
Result<std::string> read_file(const char* flag, std::string path);
// The steps in a file, as --pipeline names it.
Result<std::vector<jobs::StepLayer>> read_pipeline_file(const std::string& file);
// The folder of a model that a command names: a path, an archive, or a shipped model's name.
Result<std::filesystem::path> model_folder(const std::string& model, const Context& context);

// Parses and runs; the exit status.
int run(int argc, char** argv, const Context& context);

}  // namespace millrace::cli
