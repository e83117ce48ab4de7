// What a user writes for a place ("s3://bucket/prefix", "file:///path", a path), taken apart.
// Whatever looks like a URI but is not one of ours is refused, never taken for a file name.
#include <string>

#include "base/uri.h"
#include "store/object_store.h"

namespace millrace::store {
namespace {

Error bad(std::string_view text, std::string_view why) {
  return invalid_argument("'" + std::string(text) + "': " + std::string(why));
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The scheme of "scheme://...", or nothing.
std::string_view scheme_of(std::string_view text) {
  const size_t mark = text.find("://");
  if (mark == std::string_view::npos) return {};
  for (const char c : text.substr(0, mark)) {
    if (!letter_or_digit(c) && c != '+' && c != '-' && c != '.') return {};
  }
  return text.substr(0, mark);
}

Result<Location> parse_s3(std::string_view text) {
  const std::string_view rest = text.substr(std::string_view("s3://").size());
  const std::string_view bucket = rest.substr(0, rest.find('/'));
  if (bucket.empty()) return fail(bad(text, "no bucket: write s3://BUCKET/PREFIX"));
  if (bucket.substr(0, 4) == "arn:") return fail(bad(text, "bucket ARNs are not supported"));
  for (const char c : bucket) {
    if (!letter_or_digit(c) && c != '.' && c != '-' && c != '_') {
      return fail(bad(text, "a bucket name holds letters, digits, '.', '-' and '_' only"));
    }
  }
  // 3 to 63 for Amazon today; 255 for its oldest buckets.
  if (bucket.size() < 3 || bucket.size() > 255) {
    return fail(bad(text, "a bucket name has 3 to 255 characters"));
  }
  Location location;
  location.kind = Location::Kind::kS3;
  location.bucket = std::string(bucket);
  if (bucket.size() < rest.size()) location.path = std::string(rest.substr(bucket.size() + 1));
  return location;
}

Result<Location> parse_file(std::string_view text) {
  std::string_view path = text.substr(std::string_view("file://").size());
  if (path.substr(0, 10) == "localhost/") path.remove_prefix(9);
  if (path.empty() || path.front() != '/') {
    return fail(bad(text, "a file URI names an absolute path: file:///PATH"));
  }
  auto decoded = percent_decode(path);
  if (!decoded) return fail(bad(text, decoded.error().message));
  if (decoded->find('\0') != std::string::npos) return fail(bad(text, "a NUL byte in the path"));
  return Location{Location::Kind::kFile, "", *std::move(decoded)};
}

}  // namespace

Result<Location> parse_location(std::string_view text) {
  if (text.empty()) return fail(invalid_argument("an empty path"));
  if (text.find('\0') != std::string_view::npos) {
    return fail(invalid_argument("a NUL byte in a path"));
  }
  const std::string_view scheme = scheme_of(text);
  if (scheme == "s3") return parse_s3(text);
  if (scheme == "file") return parse_file(text);
  if (!scheme.empty()) {
    return fail(bad(text, "'" + std::string(scheme) +
                              "://' is not supported; s3:// and file:// are, in lower case"));
  }
  for (const std::string_view near : {"s3:", "file:", "s3a:"}) {
    if (text.substr(0, near.size()) == near) {
      return fail(bad(text, "write s3://BUCKET/PREFIX or file:///PATH (or ./" + std::string(text) +
                                " for a file of that name)"));
    }
  }
  return Location{Location::Kind::kFile, "", std::string(text)};
}

}  // namespace millrace::store
