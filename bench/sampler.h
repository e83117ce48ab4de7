// Where a program spends its time: the instruction pointer, taken every few milliseconds of
// processor time on whichever thread runs. Costs the measured code nothing and needs no tools.
#pragma once

#include <nlohmann/json.hpp>

namespace millrace::bench {

// Starts sampling the whole process; once.
void start_sampling();
// Stops, and gives [[offset, samples], ...]: offsets into the executable's image, as `nm` prints
// them; -1 for whatever lies outside it (the C library).
nlohmann::ordered_json stop_sampling();

}  // namespace millrace::bench
