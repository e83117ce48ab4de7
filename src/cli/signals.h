// Ctrl-C and SIGTERM: the first asks the job to stop cleanly, the second ends the program at once.
#pragma once

#include "base/cancel.h"

namespace millrace::cli {

// From now on SIGINT and SIGTERM cancel `token`; SIGPIPE and SIGXFSZ are ignored. One token for
// each process.
void cancel_on_signals(const CancelToken& token);

}  // namespace millrace::cli
