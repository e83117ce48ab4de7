// What the program prints: results on stdout, everything else on stderr.
#pragma once

#include <string_view>

#include "base/error.h"

namespace millrace::cli {

// A line on stderr: "millrace: text".
void say(std::string_view text);
// Bytes on stdout, as they are. False when nobody reads any more (a closed pipe).
bool put(std::string_view bytes);
// Says the error; returns the status for "nothing was started".
int refuse(const Error& error);

}  // namespace millrace::cli
