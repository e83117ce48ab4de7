// Rename for everything that must be there whole or not at all.
#include "transform/staged_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <vector>

#include "base/limits.h"
#include "base/unique_fd.h"
#include "transform/file_io.h"
#include "transform/journal.h"

namespace millrace::transform {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kErrorsSuffix = ".errors";
constexpr std::string_view kResultSuffix = ".result";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr char kResultWord[] = "part";

Error file_error(const std::string& what, const std::error_code& code) {
  return errno_error(what, code.value());
}

// A file on its way into the folder.
class StagedWriter final : public store::ObjectWriter {
 public:
  StagedWriter(fs::path file, UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}
  ~StagedWriter() override {
    if (!committed_) ::unlink(temporary(file_).c_str());
  }

  static std::string temporary(const fs::path& file) {
    return file.string().append(kTemporarySuffix);
  }

  Status append(std::string_view bytes) override {
    if (Status status = write_all(fd_.get(), bytes); !status) {
      return fail(std::move(status).error().within("stage part " + file_.string()));
    }
    return {};
  }

  // The bytes are on the disk before the name is: a power cut leaves no staged part that is short.
  Status commit() override {
    if (::fdatasync(fd_.get()) != 0 || std::rename(temporary(file_).c_str(), file_.c_str()) != 0) {
      return fail(errno_error("stage part " + file_.string(), errno));
    }
    committed_ = true;
    return {};
  }

 private:
  const fs::path file_;
  const UniqueFd fd_;
  bool committed_ = false;
};

Result<std::unique_ptr<store::ObjectWriter>> create_file(const fs::path& file) {
  UniqueFd fd(::open(StagedWriter::temporary(file).c_str(),
                     O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail(errno_error("stage part " + file.string(), errno));
  return std::make_unique<StagedWriter>(file, std::move(fd));
}

class StagedReader final : public store::ObjectReader {
 public:
  StagedReader(fs::path file, UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}

  Result<size_t> read(std::span<char> buffer) override {
    for (;;) {
      const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return fail(errno_error("read staged part " + file_.string(), errno));
    }
  }

 private:
  const fs::path file_;
  const UniqueFd fd_;
};

Result<std::unique_ptr<store::ObjectReader>> open_file(const fs::path& file, uint64_t from) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || ::lseek(fd.get(), static_cast<off_t>(from), SEEK_SET) < 0) {
    return fail(errno_error("read staged part " + file.string(), errno));
  }
  return std::make_unique<StagedReader>(file, std::move(fd));
}

Status copy_file(const fs::path& file, store::ObjectWriter& out, uint64_t from) {
  MR_ASSIGN(const auto reader, open_file(file, from));
  std::string block(limits::kReadBlockBytes, '\0');
  for (;;) {
    MR_ASSIGN(const size_t got, reader->read(block));
    if (got == 0) return {};
    MR_TRY(out.append({block.data(), got}));
  }
}

// The size, or 0 where there is no such file.
uint64_t size_of(const fs::path& file) {
  std::error_code code;
  const auto size = fs::file_size(file, code);
  return code ? 0 : size;
}

uint64_t to_number(const std::string& text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string> range_fields(const Part& part) {
  return {kResultWord, std::to_string(part.offset), std::to_string(part.length),
          std::to_string(part.first_record)};
}

std::string result_line(const Part& part, const PartResult& result) {
  std::vector<std::string> fields = range_fields(part);
  fields.push_back(std::to_string(result.bytes));
  fields.push_back(std::to_string(result.error_bytes));
  fields.push_back(std::to_string(result.records));
  fields.push_back(counts_field(result.counts));
  fields.push_back(std::to_string(result.refused.count));
  fields.push_back(std::to_string(result.refused.first_record));
  fields.push_back(result.refused.first_cause);
  return format_line(fields);
}

// Nothing: no such line, one of another range, or one that a power cut left torn.
std::optional<PartResult> read_result(const fs::path& file, const Part& part) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  if (!std::getline(in, line) || in.eof()) return std::nullopt;
  const std::vector<std::string> fields = parse_line(line);
  const std::vector<std::string> range = range_fields(part);
  if (fields.size() != range.size() + 7) return std::nullopt;
  if (!std::equal(range.begin(), range.end(), fields.begin())) return std::nullopt;
  PartResult result;
  result.bytes = to_number(fields[4]);
  result.error_bytes = to_number(fields[5]);
  result.records = to_number(fields[6]);
  result.counts = parse_counts(fields[7]);
  result.refused = {to_number(fields[8]), to_number(fields[9]), fields[10]};
  return result;
}

}  // namespace

fs::path StagedParts::file(const std::string& name, std::string_view suffix) const {
  return folder_ / (name + std::string(suffix));
}

Status StagedParts::open() {
  std::error_code code;
  fs::create_directories(folder_, code);
  if (code) return fail(file_error("make " + folder_.string(), code));
  auto entry = fs::directory_iterator(folder_, code);
  for (; !code && entry != fs::directory_iterator(); entry.increment(code)) {
    if (entry->path().extension() == kTemporarySuffix) fs::remove(entry->path(), code);
  }
  if (code) return fail(file_error("tidy " + folder_.string(), code));
  return {};
}

Status StagedParts::drop() {
  std::error_code code;
  fs::remove_all(folder_, code);
  if (code) return fail(file_error("remove " + folder_.string(), code));
  return {};
}

std::optional<PartResult> StagedParts::find(const std::string& name, const Part& part) const {
  std::error_code code;
  if (!fs::is_regular_file(file(name), code)) return std::nullopt;
  std::optional<PartResult> staged = read_result(file(name, kResultSuffix), part);
  if (!staged || size_of(file(name)) != staged->bytes) return std::nullopt;
  if (size_of(file(name, kErrorsSuffix)) != staged->error_bytes) return std::nullopt;
  return staged;
}

Result<std::unique_ptr<store::ObjectWriter>> StagedParts::create(const std::string& name) const {
  return create_file(file(name));
}

Result<std::unique_ptr<store::ObjectWriter>> StagedParts::create_errors(
    const std::string& name) const {
  return create_file(file(name, kErrorsSuffix));
}

Status StagedParts::write_result(const std::string& name, const Part& part,
                                 const PartResult& result) const {
  MR_ASSIGN(const auto writer, create_file(file(name, kResultSuffix)));
  MR_TRY(writer->append(result_line(part, result)));
  return writer->commit();
}

Result<std::unique_ptr<store::ObjectReader>> StagedParts::read(const std::string& name) const {
  return open_file(file(name), 0);
}

Status StagedParts::copy(const std::string& name, store::ObjectWriter& out, uint64_t from) const {
  return copy_file(file(name), out, from);
}

Result<std::unique_ptr<store::ObjectReader>> StagedParts::read_errors(
    const std::string& name) const {
  std::error_code code;
  if (!fs::exists(file(name, kErrorsSuffix), code) && !code) return nullptr;
  return open_file(file(name, kErrorsSuffix), 0);
}

Status StagedParts::copy_errors(const std::string& name, store::ObjectWriter& out) const {
  std::error_code code;
  if (!fs::exists(file(name, kErrorsSuffix), code) && !code) return {};
  return copy_file(file(name, kErrorsSuffix), out, 0);
}

void StagedParts::remove(const std::string& name) const {
  ::unlink(file(name).c_str());
  ::unlink(file(name, kErrorsSuffix).c_str());
  ::unlink(file(name, kResultSuffix).c_str());
}

}  // namespace millrace::transform
