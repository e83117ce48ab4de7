// Reads the header through the splitter, so that it ends where the first record of a part begins.
#include "record/csv_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "record/join.h"
#include "record/splitter.h"

namespace millrace::record {

namespace {

// "0 id, 1 text, ..." for messages; wide tables are cut short.
std::string list_columns(const std::vector<std::string>& names) {
  constexpr size_t kColumnsShown = 40;
  std::string list;
  for (size_t i = 0; i < names.size() && i < kColumnsShown; ++i) {
    if (i > 0) list += ", ";
    list += fmt::format("{} {}", i, std::string_view(names[i]).substr(0, 60));
  }
  if (names.size() > kColumnsShown) list += ", ...";
  return list;
}

Result<CsvHeader> make_header(const Record& first, const DataFormat& format) {
  CsvHeader header;
  header.line = first.content;
  header.end = first.offset + first.framed.size();
  auto names = parse_csv_record(first.content, format.csv.delimiter);
  if (!names) return fail(std::move(names).error().within("read the CSV header"));
  header.names = std::move(*names);
  return header;
}

}  // namespace

Result<CsvHeader> read_csv_header(const ReadBytes& read, const DataFormat& format) {
  const auto splitter = make_splitter(format, 0, limits::kPayloadBytesMax);
  std::string block(64 * 1024, '\0');
  Record first;
  for (;;) {
    MR_ASSIGN(const size_t got, read(std::span<char>(block)));
    splitter->feed(std::string_view(block).substr(0, got));
    if (got == 0) splitter->finish();
    auto found = splitter->next(&first);
    if (!found) return fail(std::move(found).error().within("read the CSV header"));
    if (*found) return make_header(first, format);
    if (got == 0) return fail(bad_input("read the CSV header: the object has no first record"));
  }
}

Result<uint32_t> find_csv_column(const CsvHeader& header, std::string_view name_or_index) {
  const auto& names = header.names;
  const auto found = std::find(names.begin(), names.end(), name_or_index);
  if (found != names.end()) {
    const auto again = std::find(found + 1, names.end(), name_or_index);
    if (again != names.end()) {
      return fail(bad_input(fmt::format(
          "the CSV header names column '{}' twice, at indexes {} and {}: give the index",
          name_or_index, found - names.begin(), again - names.begin())));
    }
    return static_cast<uint32_t>(found - names.begin());
  }
  uint32_t index = 0;
  const char* end = name_or_index.data() + name_or_index.size();
  const auto [stop, error] = std::from_chars(name_or_index.data(), end, index);
  if (error == std::errc() && stop == end && index < names.size()) return index;
  return fail(bad_input(fmt::format("the CSV header has no column '{}'; it has: {}", name_or_index,
                                    list_columns(names))));
}

Result<std::string> join_csv_header(const CsvHeader& header, const std::vector<std::string>& added,
                                    const CsvOptions& csv, std::string_view prefix_setting) {
  std::string line = header.line;
  for (const std::string& name : added) {
    if (std::find(header.names.begin(), header.names.end(), name) != header.names.end()) {
      return fail(bad_input(fmt::format(
          "the CSV header has a column '{}' already, which the result would add: set another {}",
          name, prefix_setting)));
    }
    line += csv.delimiter;
    append_csv_field(name, csv.delimiter, &line);
  }
  return line;
}

}  // namespace millrace::record
