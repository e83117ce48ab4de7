// What both halves of the library need of the house.
#include "api/convert.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "handler/native_options.h"

namespace millrace::api {
namespace {

namespace fs = std::filesystem;

FailureKind kind_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return FailureKind::kInvalidArgument;
    case Code::kNotFound:
      return FailureKind::kNotFound;
    case Code::kAlreadyExists:
      return FailureKind::kAlreadyExists;
    case Code::kBadInput:
      return FailureKind::kBadInput;
    case Code::kUnavailable:
      return FailureKind::kUnavailable;
    case Code::kCancelled:
      return FailureKind::kCancelled;
    case Code::kCorruption:
      return FailureKind::kCorruption;
    case Code::kInternal:
      return FailureKind::kInternal;
  }
  return FailureKind::kInternal;
}

// "text-column" -> "TEXT_COLUMN".
std::string option_name(const std::string& flag) {
  std::string name = flag;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return name;
}

bool is_model_option(const std::string& name) {
  const auto& known = handler::native_option_help();
  return std::any_of(known.begin(), known.end(),
                     [&](const auto& option) { return name == option.name; });
}

// The folder of the shared library that this code is in.
fs::path library_folder() {
  Dl_info info = {};
  static const char here = 0;
  if (dladdr(&here, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const fs::path file = fs::canonical(info.dli_fname, error);
  return error ? fs::path() : file.parent_path();
}

}  // namespace

Failure to_failure(Error error) {
  return Failure{kind_of(error.code), std::move(error.message)};
}

Result<jobs::Variables> option_variables(const std::map<std::string, std::string>& options,
                                         bool model_only) {
  jobs::Variables variables;
  for (const auto& [flag, value] : options) {
    const std::string name = option_name(flag);
    const bool known = model_only ? is_model_option(name) : jobs::find_job_option(name) != nullptr;
    if (!known) {
      return fail(invalid_argument("option \"" + flag + "\": there is none of this name" +
                                   (model_only ? " for a model" : "")));
    }
    variables[name] = value;
  }
  return variables;
}

jobs::Variables process_variables() {
  jobs::Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string pair = *entry;
    const size_t equals = pair.find('=');
    if (equals != std::string::npos) variables[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return variables;
}

std::vector<fs::path> shipped_model_folders(const jobs::Variables& environment) {
  std::vector<fs::path> folders;
  const auto set = environment.find("MILLRACE_MODELS_DIR");
  if (set != environment.end() && !set->second.empty()) folders.emplace_back(set->second);
  const fs::path library = library_folder();
  if (library.empty()) return folders;
  folders.push_back((library / MILLRACE_MODELS_FROM_LIB).lexically_normal());  // installed
  folders.push_back((library / "../../models").lexically_normal());            // build/<preset>/
  return folders;
}

}  // namespace millrace::api
