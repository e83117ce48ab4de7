// Every setting of a transform job, by one name in three spellings: the flag `--split-type`, the
// variable `MILLRACE_SPLIT_TYPE`, and the key `SPLIT_TYPE` here. One table serves --help, the
// checks and the messages; layers of settings are merged by the order in which users expect them
// to win.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::jobs {

struct JobOption {
  const char* name;    // "SPLIT_TYPE"
  const char* values;  // "None|Line", or "N", "PATH", ...; "" for a switch
  const char* help;
  // Belongs to this machine or this run (threads, work folder, ...): never in a job's Environment.
  bool local_only = false;
};

// The table: the job's own options, then the native model's.
const std::vector<JobOption>& job_options();
const JobOption* find_job_option(std::string_view name);
// The option that sets what the native model calls `name`. The same, but for MILLRACE_OUTPUT, the
// shape of results: the flag --output is where they go, so the shape's is --output-shape.
const char* option_of_native(const char* name);

// "SPLIT_TYPE" -> "--split-type" / "MILLRACE_SPLIT_TYPE".
std::string flag_name(std::string_view option);
std::string variable_name(std::string_view option);

using Variables = std::map<std::string, std::string>;
// "": it is not set.
std::string value_of(const Variables& variables, const std::string& name);

// One step of a pipeline: what its container definition says.
struct StepLayer {
  std::string name;   // ContainerHostname; "": none
  std::string model;  // as --model names it; "": its Environment does
  std::string image;  // what its Python code was made for; "": not stated
  Variables environment;
  Variables machine = {};  // by option name: what this machine decides for it
};

// Where settings come from, the strongest first.
struct SettingLayers {
  Variables flags;                // by option name
  Variables job_environment;      // the job's Environment, as given (MILLRACE_* and others)
  Variables api_members;          // by option name: what a CreateTransformJob request states
  Variables model_environment;    // the model's Environment
  Variables process_environment;  // this process's; empty for a server
  // Of a pipeline, 2 to 15, in order; then there is no MODEL and no model_environment.
  std::vector<StepLayer> steps;
  bool local_steps = false;  // a user of this machine wrote them: they may set what belongs to it
};

struct Setting {
  std::string value;
  std::string source;  // how the user wrote it: "--split-type", "MILLRACE_SPLIT_TYPE", ...
};
using Settings = std::map<std::string, Setting>;

// Merges the layers. MILLRACE_OPTIONS, a JSON object, counts as variables of the layer it stands in
// (a variable beside it is stronger). An unknown MILLRACE_* name, or a local-only one in a job's or
// model's Environment, is invalid_argument and says which names there are.
Result<Settings> merge_settings(const SettingLayers& layers);

// The same for one step of a pipeline: its Environment takes the place of the model's. There, only
// what concerns one model may be set; what concerns the whole job is invalid_argument.
Result<Settings> merge_step_settings(const SettingLayers& layers, size_t step);

// The value, where the setting is made.
std::optional<std::string> setting_value(const Settings& settings, const std::string& name);

}  // namespace millrace::jobs
