// Where a program spends its time: the innermost functions, taken every few milliseconds of
// processor time on whichever thread runs. Costs the measured code nothing and needs no tools.
#pragma once

#include <nlohmann/json.hpp>

namespace millrace::bench {

// Starts sampling the whole process; once.
void start_sampling();
// Stops, and gives [[[offset, ...], samples], ...]: where the thread was, then where its callers
// were, as offsets into the executable's image, which is what `nm` prints; -1 for whatever lies
// outside it (the C library).
nlohmann::ordered_json stop_sampling();

}  // namespace millrace::bench
