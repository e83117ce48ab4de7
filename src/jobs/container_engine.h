// podman or docker, as far as Millrace uses them: through their command lines, which both have in
// common.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"
#include "handler/model_process.h"
#include "handler/run_command.h"
#include "jobs/job_options.h"

namespace millrace::jobs {

class ContainerEngine {
 public:
  struct Options {
    std::string named;              // as the user says: a name, or a path; "": what there is
    std::filesystem::path program;  // millrace itself
    Variables environment;          // this process's: the engine is the user's own program
    std::function<void(std::string_view)> notice;
  };
  // invalid_argument: there is none; internal: it cannot be run; cancelled.
  static Result<ContainerEngine> find(Options options, const CancelToken& cancel);

  // A command line of the engine, for /bin/sh.
  std::string command(std::string_view words) const;
  // Runs one to its end.
  Result<handler::CommandOutput> run(std::string_view words, const CancelToken& cancel) const;
  // What a process that runs one starts from.
  handler::ModelProcessOptions process() const;

  // It runs without root, so addresses of its networks lead nowhere on this machine.
  bool rootless() const { return rootless_; }

  // Pulls the image where it is not here. invalid_argument: nor can it be pulled, with the reason.
  Status need_image(const std::string& image, const CancelToken& cancel) const;
  // Containers and networks of Millrace processes of this machine that are gone.
  void remove_leftovers(const CancelToken& cancel) const;
  // The container's address in its network; "": it has none yet.
  Result<std::string> address_of(const std::string& container, const CancelToken& cancel) const;

 private:
  explicit ContainerEngine(Options options) : options_(std::move(options)) {}

  Options options_;
  std::filesystem::path path_;
  bool rootless_ = false;
};

// A name for what this process makes: it tells whether its maker still lives.
std::string new_container_name();
// The label that all of it carries: millrace.host=THIS MACHINE SINCE ITS START.
const std::string& container_label();
// Whether the process that made the name is gone; false for names that new_container_name() did not
// make.
bool maker_is_gone(std::string_view name);

}  // namespace millrace::jobs
