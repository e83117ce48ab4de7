// Bodies of requests to the native model, in every content type: parsed, cut, cleaned and prepared
// up to the tokenizer, which has a target of its own. Invariants: spans lie inside the body in
// order, texts are what they claim, cleaning leaves valid UTF-8, repairing is idempotent.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "handler/clean.h"
#include "handler/cut_records.h"
#include "handler/language.h"
#include "handler/record_reader.h"
#include "handler/utf8.h"
#include "record/csv_fields.h"

namespace {

namespace handler = millrace::handler;
namespace record = millrace::record;

void require(bool condition) {
  if (!condition) std::abort();
}

void clean_text(std::string_view text) {
  static const handler::LanguageNotice notice({"en"});
  static handler::Cleaner cleaner(
      {handler::CleanStep::kMojibake, handler::CleanStep::kHtml, handler::CleanStep::kUrls,
       handler::CleanStep::kMentions, handler::CleanStep::kHashtags, handler::CleanStep::kControl,
       handler::CleanStep::kNfc, handler::CleanStep::kRepeats, handler::CleanStep::kWhitespace});
  std::string valid;
  handler::replace_invalid_utf8(text, &valid);
  require(handler::valid_utf8_prefix(valid) == valid.size());
  std::string again;
  handler::replace_invalid_utf8(valid, &again);
  require(again == valid);
  std::array<uint64_t, handler::kCleanSteps> counts = {};
  const std::string_view cleaned = cleaner.clean(valid, &counts);
  require(handler::valid_utf8_prefix(cleaned) == cleaned.size());
  notice.looks_outside(cleaned);
}

void read_json(std::string_view document) {
  static handler::JsonRecordReader readers[] = {
      {"", false}, {"", true}, {"review.text", false}, {"0", true}};
  handler::ParsedRecord record;
  for (handler::JsonRecordReader& reader : readers) {
    if (!reader.read(document, &record)) continue;
    for (const handler::RowText& row : record.rows) {
      require(handler::valid_utf8_prefix(row.text) == row.text.size());
      require(handler::valid_utf8_prefix(row.pair) == row.pair.size());
      clean_text(row.text);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto media = static_cast<record::MediaType>(data[0] % 5);
  const char delimiter = (data[0] & 64) != 0 ? '\t' : ',';
  const std::string body(reinterpret_cast<const char*>(data + 1), size - 1);
  std::vector<record::RecordSpan> spans;
  handler::cut_records(media, delimiter, body, &spans);
  size_t end = 0;
  record::CsvFields fields;
  for (const record::RecordSpan& span : spans) {
    require(span.offset >= end && span.offset + span.length <= body.size());
    end = span.offset + span.length;
    const std::string_view text = std::string_view(body).substr(span.offset, span.length);
    if (media == record::MediaType::kJson || media == record::MediaType::kJsonLines) {
      read_json(text);
    } else if (media == record::MediaType::kCsv) {
      if (!fields.parse(text, delimiter)) continue;
      for (size_t i = 0; i < fields.size(); ++i) clean_text(fields[i]);
    } else {
      clean_text(text);
    }
  }
  return 0;
}
