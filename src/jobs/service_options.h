// What a job service is opened with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job_options.h"

namespace millrace::jobs {

struct ServiceOptions {
  // Everything that is kept: the job store, logs, work areas, unpacked models. Made if missing.
  std::filesystem::path folder;
  std::string region = "us-east-1";
  std::string account = "000000000000";

  int running_max = 1;  // jobs that run at one time; the others wait in the order of creation
  uint64_t model_bytes_max = uint64_t{4} * 1024 * 1024 * 1024;  // of loaded models between jobs
  size_t jobs_kept = 200000;  // beyond them the oldest that ended are forgotten

  // Settings of this machine for every job, by option name: THREADS, ENDPOINT_URL, REGION, PROFILE,
  // RESULT_CACHE, ISA, ... They are stronger than what a request says.
  Variables machine;
  // This process's environment: HOME, AWS_*; never read for MILLRACE_* settings.
  Variables environment;
  std::filesystem::path program;  // millrace itself; empty: no model's process is started
  std::vector<std::filesystem::path> shipped_model_folders;

  // What serves an image, before the rules for AWS's images: the image's name, with or without its
  // tag, to "native", "python", "container", or the URL of a model server.
  std::map<std::string, std::string> images;
  // Images without a rule are run as containers: everybody with a key then has any image run here.
  bool allow_images = false;
  // Settings of this machine for jobs in containers, by option name: CONTAINER_ENGINE,
  // MODEL_NETWORK, MODEL_MEMORY_IN_MB, MODEL_CPUS.
  Variables container;
  // Jobs and models may name file:// and local paths. Everybody with a key then reads and writes
  // what this process can.
  bool allow_local_paths = false;

  // Where changes of a job's state go, as JSON in EventBridge's form; empty: nowhere.
  std::filesystem::path event_file;
  std::string event_url;

  // One line about what the operator should know; called by several threads.
  std::function<void(std::string_view)> log;
};

}  // namespace millrace::jobs
