// The process environment through one small seam, so that tests can bring their own.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace millrace {

// The variable's value; "" where it is unset (AWS's tools do not tell the two apart either).
using Env = std::function<std::string(const std::string&)>;

Env process_env();
Env map_env(std::map<std::string, std::string> variables);

}  // namespace millrace
