#include "jobs/locations.h"

#include <filesystem>
#include <system_error>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;
using store::Location;

// Absolute, without "." and "..", and with links resolved as far as the path exists.
std::string settled(const std::string& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(fs::absolute(path), error);
  std::string text = error ? fs::absolute(path).lexically_normal().string() : whole.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

bool has_extension(const std::string& path) {
  if (path.empty() || path.back() == '/') return false;
  const fs::path name = fs::path(path).filename();
  return name.has_extension() && name != "." && name != "..";
}

}  // namespace

Result<InputLocation> input_location(const std::string& text) {
  MR_ASSIGN(const Location location, store::parse_location(text));
  if (location.kind == Location::Kind::kS3) return InputLocation{location, location.path, false};
  std::error_code error;
  const std::string path = settled(location.path);
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    // A link that leads nowhere or in a circle exists as an entry; its object fails with the cause.
    if (!fs::is_symlink(fs::symlink_status(location.path, error))) {
      return fail(not_found(text + ": no such file or folder"));
    }
    const fs::path link = fs::absolute(location.path).lexically_normal();
    return InputLocation{{Location::Kind::kFile, "", settled(link.parent_path().string())},
                         link.filename().string(),
                         true};
  }
  if (fs::is_directory(status)) return InputLocation{{Location::Kind::kFile, "", path}, "", false};
  return InputLocation{{Location::Kind::kFile, "", fs::path(path).parent_path().string()},
                       fs::path(path).filename().string(),
                       true};
}

Result<InputLocation> manifest_location(const std::string& prefix, const InputLocation& manifest) {
  MR_ASSIGN(const Location location, store::parse_location(prefix));
  if (location.kind == Location::Kind::kS3) return InputLocation{location, location.path, false};
  if (manifest.root.kind == Location::Kind::kS3) {
    return fail(invalid_argument("the prefix '" + prefix +
                                 "' is a local path; a manifest in S3 lists objects in S3"));
  }
  const size_t name = location.path.rfind('/') + 1;  // npos + 1 == 0
  const fs::path folder = fs::path(manifest.root.path) / location.path.substr(0, name);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(not_found(folder.string() + ": no such folder, named by the manifest's prefix"));
  }
  return InputLocation{
      {Location::Kind::kFile, "", settled(folder.string())}, location.path.substr(name), false};
}

Result<OutputLocation> output_location(const std::string& text, bool single_input) {
  MR_ASSIGN(const Location location, store::parse_location(text));
  if (location.kind == Location::Kind::kS3) {
    if (single_input && has_extension(location.path)) {
      return OutputLocation{location, location.path, true};
    }
    std::string prefix = location.path;
    if (!prefix.empty() && prefix.back() != '/') prefix += '/';
    return OutputLocation{location, prefix, false};
  }
  const std::string path = settled(location.path);
  std::error_code error;
  const auto status = fs::status(path, error);
  if (single_input && has_extension(location.path) && !fs::is_directory(status)) {
    return OutputLocation{{Location::Kind::kFile, "", fs::path(path).parent_path().string()},
                          fs::path(path).filename().string(),
                          true};
  }
  if (fs::exists(status) && !fs::is_directory(status)) {
    return fail(invalid_argument(text + ": the output is a file; with several inputs it must be a "
                                        "folder"));
  }
  return OutputLocation{{Location::Kind::kFile, "", path}, "", false};
}

Status check_apart(const InputLocation& input, const OutputLocation& output,
                   const std::string& output_text) {
  if (input.root.kind != output.root.kind) return {};
  const bool same_root = input.root.kind == Location::Kind::kS3
                             ? input.root.bucket == output.root.bucket
                             : input.root.path == output.root.path;
  std::string in = input.prefix;
  std::string out = output.prefix;
  while (!in.empty() && in.back() == '/') in.pop_back();
  while (!out.empty() && out.back() == '/') out.pop_back();
  if (same_root && in == out) {
    return fail(invalid_argument(
        output_text +
        ": the output is the input: results would be written over the data they are made from; "
        "name another --output"));
  }
  return {};
}

Status check_not_read_again(const InputLocation& input, const OutputLocation& output,
                            const std::string& output_text) {
  if (input.is_object || input.root.kind != output.root.kind) return {};
  bool inside = false;
  if (input.root.kind == Location::Kind::kS3) {
    inside = input.root.bucket == output.root.bucket && output.prefix.starts_with(input.prefix);
  } else {
    const fs::path below = fs::path(output.root.path).lexically_relative(input.root.path);
    inside = !below.empty() && *below.begin() != "..";
  }
  if (!inside) return {};
  return fail(invalid_argument(
      output_text +
      ": the output lies inside the input, so the next run would read these results as data; name "
      "another --output or a narrower --input"));
}

}  // namespace millrace::jobs
