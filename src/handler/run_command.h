// Commands that are to end by themselves: pip, a container engine. They run under a supervisor
// (model_process.h), so they end with us.
#pragma once

#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "handler/model_process.h"

namespace millrace::handler {

struct CommandOutput {
  int exit_status = 0;  // as a shell tells it
  std::string text;     // its last lines
};

// Runs the command to its end; each line also goes to `options.log`. cancelled: it was ended;
// internal: it could not be started. REQUIRES: no channel.
Result<CommandOutput> run_command(ModelProcessOptions options, const CancelToken& cancel);

}  // namespace millrace::handler
