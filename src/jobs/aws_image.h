// What an AWS image's URI says of the packages in it: pytorch-inference:2.1.0-cpu-py310 has torch
// 2.1.0, which most model archives made for it do not list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::jobs {

// Requirements as pip takes them. invalid_argument: not an image whose packages we know, or one
// without a version; the message lists those that are known.
Result<std::vector<std::string>> packages_of_image(std::string_view uri);

}  // namespace millrace::jobs
