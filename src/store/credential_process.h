// Runs a profile's credential_process and returns what it prints.
#pragma once

#include <chrono>
#include <string>

#include "base/cancel.h"
#include "base/result.h"

namespace millrace::store {

// Through /bin/sh, standard error left as it is. Killed with what it started after `timeout`, or
// when cancelled. A status other than 0 is invalid_argument.
Result<std::string> run_credential_process(const std::string& command,
                                           std::chrono::milliseconds timeout,
                                           const CancelToken& cancel);

}  // namespace millrace::store
