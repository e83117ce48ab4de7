// The version of this program and library.
#pragma once

namespace millrace {
inline constexpr const char* kVersion = "0.1.0";
}  // namespace millrace
