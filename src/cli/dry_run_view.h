// `millrace transform --dry-run`: what the job would do, for people on stderr and as one line of
// JSON on stdout.
#pragma once

#include <string>

#include "jobs/run_transform.h"

namespace millrace::cli {

// Makes the dry run and shows it; the exit status.
int show_dry_run(const jobs::TransformRequest& request);

// The last line of stdout; pure, for tests.
std::string dry_run_line(const jobs::DryRun& found);

}  // namespace millrace::cli
