// One line after a long run: that another precision would have been faster, and how to see what it
// would change. Only for users who did not choose, where the choice would have shown.
#pragma once

#include <optional>
#include <string>

#include "jobs/run_transform.h"

namespace millrace::cli {

// Nullopt where there is nothing to say.
std::optional<std::string> precision_hint(const jobs::TransformOutcome& outcome);

}  // namespace millrace::cli
