// Ctrl-C and SIGTERM: the first asks the job to stop cleanly, the second ends the program at once.
// And what the program says where the machine gives it no more memory.
#pragma once

#include "base/cancel.h"

namespace millrace::cli {

// From now on SIGINT and SIGTERM cancel `token`; SIGPIPE and SIGXFSZ are ignored. One token for
// each process.
void cancel_on_signals(const CancelToken& token);

// From now on a program that runs out of memory or threads in the midst of work says so and ends
// with kExitFailed, instead of a core.
void tell_of_exhaustion();

}  // namespace millrace::cli
