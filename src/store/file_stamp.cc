// A stamp is a few lines: the file's size and time, the metadata, and a last line without which it
// is torn. It needs no sync: one that a power cut spoils is as good as none.
#include "store/file_stamp.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "base/digest.h"
#include "base/limits.h"
#include "base/uri.h"
#include "store/file_list.h"

namespace millrace::store {
namespace {

constexpr char kEnd[] = "end";
// So that "*.out" does not mean the stamps, too.
constexpr char kSuffix[] = ".txt";

// Which version of the file: its size and the time of its last write. Empty: there is none.
std::string version_of(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  return std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

void write_stamp(const std::string& path, const Metadata& metadata) {
  const std::string stamp = stamp_path(path);
  ::unlink(stamp.c_str());  // never through a link that somebody put there
  std::ofstream out(stamp, std::ios::binary | std::ios::trunc);
  out << version_of(path) << '\n';
  for (const auto& [name, value] : metadata) {
    out << percent_encode(name, false) << '=' << percent_encode(value, true) << '\n';
  }
  out << kEnd << '\n';
}

class StampingWriter final : public ObjectWriter {
 public:
  StampingWriter(std::unique_ptr<ObjectWriter> writer, std::string path, Metadata metadata)
      : writer_(std::move(writer)), path_(std::move(path)), metadata_(std::move(metadata)) {}

  Status append(std::string_view bytes) override { return writer_->append(bytes); }
  Status commit() override {
    MR_TRY(writer_->commit());
    write_stamp(path_, metadata_);
    return {};
  }

 private:
  const std::unique_ptr<ObjectWriter> writer_;
  const std::string path_;
  const Metadata metadata_;
};

}  // namespace

std::string stamp_path(const std::string& path) {
  const size_t name_start = path.rfind('/') + 1;  // npos + 1 == 0
  const auto named = [](const std::string& file) {
    return std::string(kHiddenPrefix) + "stamp-" + file + kSuffix;
  };
  std::string name = named(path.substr(name_start));
  if (name.size() > limits::kFileNameBytesMax) name = named(sha256_hex(path.substr(name_start)));
  return path.substr(0, name_start) + name;
}

std::unique_ptr<ObjectWriter> stamp_when_committed(std::unique_ptr<ObjectWriter> writer,
                                                   std::string path, Metadata metadata) {
  return std::make_unique<StampingWriter>(std::move(writer), std::move(path), std::move(metadata));
}

Metadata read_stamp(const std::string& path) {
  struct stat info {};
  const std::string stamp = stamp_path(path);
  if (::stat(stamp.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  if (static_cast<uint64_t>(info.st_size) > limits::kStampBytesMax) return {};
  std::ifstream in(stamp, std::ios::binary);
  std::string line;
  if (!std::getline(in, line) || line.empty() || line != version_of(path)) return {};
  Metadata metadata;
  while (std::getline(in, line)) {
    if (line == kEnd) return metadata;
    const size_t equals = line.find('=');
    if (equals == std::string::npos) return {};
    const auto name = percent_decode(std::string_view(line).substr(0, equals));
    const auto value = percent_decode(std::string_view(line).substr(equals + 1));
    if (!name || !value) return {};
    metadata[*name] = *value;
  }
  return {};
}

}  // namespace millrace::store
