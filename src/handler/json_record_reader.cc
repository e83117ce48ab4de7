// JSON documents, by simdjson On-Demand. It looks only at what it is asked for, so what a record
// holds beside its text is walked through too: a record that is not JSON is never answered.
#include <simdjson.h>

#include <cctype>
#include <cstring>

#include "base/json_check.h"
#include "base/limits.h"
#include "handler/record_reader.h"
#include "handler/utf8.h"

namespace millrace::handler {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view kParameterNames = "top_k, function_to_apply, truncation, max_length";
// [CLS] and [SEP] are kept whatever the length.
constexpr int64_t kMaxLengthMin = 2;

const char* type_name(ondemand::json_type type) {
  switch (type) {
    case ondemand::json_type::array:
      return "a list";
    case ondemand::json_type::object:
      return "an object";
    case ondemand::json_type::number:
      return "a number";
    case ondemand::json_type::string:
      return "a text";
    case ondemand::json_type::boolean:
      return "true or false";
    case ondemand::json_type::null:
      return "null";
  }
  return "unknown";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.front()) != nullptr) text.remove_prefix(1);
  return text;
}

// Four hex digits at text[at], or nothing.
std::optional<unsigned> hex4(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  unsigned value = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (std::isxdigit(c) == 0) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

// Escaped halves of surrogate pairs that stand alone, as texts cut in the middle of an emoji have
// them, become \ufffd.
void replace_lone_surrogates(std::string* json) {
  for (size_t i = 0; i + 1 < json->size(); ++i) {
    if ((*json)[i] != '\\') continue;
    if ((*json)[i + 1] != 'u') {
      ++i;
      continue;
    }
    const std::optional<unsigned> unit = hex4(*json, i + 2);
    if (!unit || *unit < 0xD800 || *unit > 0xDFFF) continue;
    const bool escape_follows = json->compare(i + 6, 2, "\\u") == 0;
    const std::optional<unsigned> next = escape_follows ? hex4(*json, i + 8) : std::nullopt;
    if (*unit < 0xDC00 && next && *next >= 0xDC00 && *next <= 0xDFFF) {
      i += 11;
    } else {
      json->replace(i, 6, "\\ufffd");
      i += 5;
    }
  }
}

// As messages list them: "id", "meta.user", ...; those inside an object that the path leads through
// come in place of it. A name may be long, and there may be many.
class MemberList {
 public:
  void add(ondemand::object& object, std::string_view path, const std::string& outer) {
    for (auto result : object) {
      ondemand::field field;
      std::string_view key;
      if (std::move(result).get(field) != simdjson::SUCCESS) return;
      if (field.unescaped_key().get(key) != simdjson::SUCCESS) return;
      const std::string name = outer + std::string(key);
      const bool leads_on =
          path.size() > key.size() && path.starts_with(key) && path[key.size()] == '.';
      ondemand::object inner;
      if (leads_on && field.value().get_object().get(inner) == simdjson::SUCCESS) {
        add(inner, path.substr(key.size() + 1), name + ".");
      } else {
        add_name(name);
      }
    }
  }

  std::string text() const {
    if (count_ == 0) return "no members";
    return count_ > kNamesMax ? list_ + ", ..." : list_;
  }

 private:
  static constexpr size_t kNamesMax = 8;
  static constexpr size_t kNameBytesMax = 60;

  void add_name(const std::string& name) {
    if (++count_ > kNamesMax) return;
    if (count_ > 1) list_ += ", ";
    std::string shown = name;
    if (shown.size() > kNameBytesMax) {
      shown.resize(kNameBytesMax);
      shown.resize(valid_utf8_prefix(shown));
      shown += "...";
    }
    list_ += '"' + shown + '"';
  }

  std::string list_;
  size_t count_ = 0;
};

}  // namespace

void ParsedRecord::clear() {
  rows.clear();
  shape = RecordShape::kText;
  parameters = {};
  invalid_utf8 = false;
}

struct JsonRecordReader::Impl {
  std::string text_column;
  bool replace_invalid = false;
  ondemand::parser parser;
  std::string buffer;  // the document with simdjson's padding
  ParsedRecord* out = nullptr;
  bool found = false;   // the text's field was seen
  bool broken = false;  // the document is not JSON

  // An error of simdjson, as ours. read() finds the words for it.
  Status check(simdjson::error_code code) {
    if (code == simdjson::SUCCESS) return {};
    broken = true;
    return fail(bad_input("invalid JSON"));
  }

  // What begins with an n is "null".
  template <class Value>
  Status check_null(Value& value) {
    bool null = false;
    const bool read = value.is_null().get(null) == simdjson::SUCCESS;
    return check(read && null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR);
  }

  Status read(std::string_view document);

  Status parse(std::string_view document) {
    document = trimmed(document);
    if (buffer.capacity() > limits::kReaderBytesKept && document.size() < buffer.capacity() / 2) {
      buffer = std::string();
      parser = ondemand::parser();
    }
    buffer.assign(document);
    buffer.append(simdjson::SIMDJSON_PADDING, '\0');
    ondemand::document parsed;
    MR_TRY(check(parser.iterate(buffer.data(), document.size(), buffer.size()).get(parsed)));
    MR_TRY(read_document(parsed));
    if (parsed.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      return check(simdjson::TRAILING_CONTENT);
    }
    return {};
  }

  Status read_document(ondemand::document& document) {
    ondemand::json_type type{};
    MR_TRY(check(document.type().get(type)));
    if (type == ondemand::json_type::string) {
      out->rows.emplace_back();
      return check(document.get_string().get(out->rows.back().text));
    }
    if (type == ondemand::json_type::null) {
      MR_TRY(check_null(document));
      out->rows.emplace_back().null = true;
      return {};
    }
    if (type != ondemand::json_type::object) {
      return fail(bad_input(std::string("the document is ") + type_name(type) +
                            "; expected a text or an object with \"" + wanted() + "\""));
    }
    ondemand::object object;
    MR_TRY(check(document.get_object().get(object)));
    MR_TRY(read_fields(object, text_column.empty() ? "inputs" : std::string_view(text_column), 1));
    return found ? Status() : fail(no_text(document));
  }

  // REQUIRES: all of the document was read.
  Error no_text(ondemand::document& document) const {
    MemberList list;
    document.rewind();
    ondemand::object object;
    if (document.get_object().get(object) == simdjson::SUCCESS) list.add(object, text_column, "");
    const std::string members = list.text();
    if (!text_column.empty()) {
      return bad_input("the object has no field \"" + text_column +
                       "\", which --text-column (MILLRACE_TEXT_COLUMN) names; it has " + members);
    }
    return bad_input("the object has no \"inputs\"; --text-column (MILLRACE_TEXT_COLUMN) names " +
                     ("another field of those that it has: " + members));
  }

  std::string wanted() const { return text_column.empty() ? "inputs" : text_column; }

  // Every field is looked at; of a name that stands twice the last counts, as in Python.
  Status read_fields(ondemand::object& object, std::string_view path, size_t depth) {
    if (depth > limits::kJsonDepthMax) return check(simdjson::DEPTH_ERROR);
    for (auto result : object) {
      ondemand::field field;
      MR_TRY(check(std::move(result).get(field)));
      std::string_view key;
      MR_TRY(check(field.unescaped_key().get(key)));
      ondemand::value value = field.value();
      ondemand::json_type type{};
      MR_TRY(check(value.type().get(type)));
      if (key == path) {
        found = true;
        MR_TRY(read_inputs(value, type, depth));
      } else if (type == ondemand::json_type::object && path.size() > key.size() &&
                 path.starts_with(key) && path[key.size()] == '.') {
        ondemand::object inner;
        MR_TRY(check(value.get_object().get(inner)));
        MR_TRY(read_fields(inner, path.substr(key.size() + 1), depth + 1));
      } else if (depth == 1 && key == "parameters") {
        MR_TRY(read_parameters(value, type));
      } else {
        MR_TRY(walk(value, type, depth));
      }
    }
    return {};
  }

  Status read_inputs(ondemand::value& value, ondemand::json_type type, size_t depth) {
    out->rows.clear();
    if (type == ondemand::json_type::array) {
      out->shape = RecordShape::kList;
      ondemand::array array;
      MR_TRY(check(value.get_array().get(array)));
      for (auto result : array) {
        ondemand::value element;
        MR_TRY(check(std::move(result).get(element)));
        ondemand::json_type element_type{};
        MR_TRY(check(element.type().get(element_type)));
        MR_TRY(read_row(element, element_type, depth + 1).map_error([&](Error e) {
          return std::move(e).within("element " + std::to_string(out->rows.size() - 1) + " of \"" +
                                     wanted() + "\"");
        }));
      }
      return {};
    }
    out->shape = type == ondemand::json_type::object ? RecordShape::kPair : RecordShape::kText;
    return read_row(value, type, depth).map_error([&](Error e) {
      return std::move(e).within("\"" + wanted() + "\"");
    });
  }

  Status read_row(ondemand::value& value, ondemand::json_type type, size_t depth) {
    RowText& row = out->rows.emplace_back();
    switch (type) {
      case ondemand::json_type::string:
        return check(value.get_string().get(row.text));
      case ondemand::json_type::null:
        row.null = true;
        return check_null(value);
      case ondemand::json_type::object: {
        ondemand::object object;
        MR_TRY(check(value.get_object().get(object)));
        return read_pair(object, &row, depth);
      }
      default:
        return fail(bad_input(std::string("is ") + type_name(type) +
                              "; expected a text, or an object with \"text\" and \"text_pair\""));
    }
  }

  Status read_pair(ondemand::object& object, RowText* row, size_t depth) {
    if (depth > limits::kJsonDepthMax) return check(simdjson::DEPTH_ERROR);
    bool has_text = false;
    for (auto result : object) {
      ondemand::field field;
      MR_TRY(check(std::move(result).get(field)));
      std::string_view key;
      MR_TRY(check(field.unescaped_key().get(key)));
      ondemand::value value = field.value();
      ondemand::json_type type{};
      MR_TRY(check(value.type().get(type)));
      const bool is_text = key == "text";
      if (!is_text && key != "text_pair") {
        return fail(bad_input("has \"" + std::string(key) +
                              "\"; an object may have \"text\" and \"text_pair\""));
      }
      const bool null = type == ondemand::json_type::null;
      if (!null && type != ondemand::json_type::string) {
        return fail(
            bad_input("\"" + std::string(key) + "\" is " + type_name(type) + "; expected a text"));
      }
      if (null) MR_TRY(check_null(value));
      std::string_view text;
      if (!null) MR_TRY(check(value.get_string().get(text)));
      if (is_text) {
        has_text = true;
        row->null = null;
        row->text = text;
      } else {
        row->has_pair = !null;
        row->pair = text;
      }
    }
    return has_text ? Status() : fail(bad_input("has no \"text\""));
  }

  Status read_parameters(ondemand::value& value, ondemand::json_type type) {
    out->parameters = {};
    if (type == ondemand::json_type::null) {
      return check_null(value);
    }
    if (type != ondemand::json_type::object) {
      return fail(
          bad_input(std::string("\"parameters\" is ") + type_name(type) + "; expected an object"));
    }
    ondemand::object object;
    MR_TRY(check(value.get_object().get(object)));
    bool truncation = true;
    for (auto result : object) {
      ondemand::field field;
      MR_TRY(check(std::move(result).get(field)));
      std::string_view key;
      MR_TRY(check(field.unescaped_key().get(key)));
      ondemand::value parameter = field.value();
      MR_TRY(read_parameter(std::string(key), parameter, &truncation));
    }
    // As Hugging Face: without truncation its length means nothing (and the model's stays).
    if (!truncation) out->parameters.max_length = 0;
    return {};
  }

  static Error wrong_parameter(std::string_view name, std::string_view allowed) {
    return bad_input("parameter \"" + std::string(name) + "\": allowed: " + std::string(allowed));
  }

  Status read_parameter(const std::string& name, ondemand::value& value, bool* truncation) {
    RecordParameters& parameters = out->parameters;
    ondemand::json_type type{};
    MR_TRY(check(value.type().get(type)));
    const bool null = type == ondemand::json_type::null;
    if (null) MR_TRY(check_null(value));
    if (name == "top_k") {
      int64_t k = RecordParameters::kAllLabels;
      if (!null && (value.get_int64().get(k) != simdjson::SUCCESS || k < 1)) {
        return fail(wrong_parameter(name, "an integer of at least 1, or null for all labels"));
      }
      parameters.top_k = static_cast<uint32_t>(std::min<int64_t>(k, RecordParameters::kAllLabels));
      return {};
    }
    if (name == "max_length") {
      int64_t length = 0;
      if (!null && (value.get_int64().get(length) != simdjson::SUCCESS || length < kMaxLengthMin)) {
        return fail(wrong_parameter(name, "an integer of at least 2, or null"));
      }
      parameters.max_length = static_cast<uint32_t>(std::min<int64_t>(length, INT32_MAX));
      return {};
    }
    if (name == "function_to_apply") return null ? Status() : read_function(value);
    if (name == "truncation") return null ? Status() : read_truncation(value, type, truncation);
    return fail(
        bad_input("unknown parameter \"" + name + "\"; allowed: " + std::string(kParameterNames)));
  }

  Status read_function(ondemand::value& value) {
    std::string_view word;
    if (value.get_string().get(word) == simdjson::SUCCESS) {
      std::string lower(word);
      for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (lower == "softmax") out->parameters.function = ScoreFunction::kSoftmax;
      if (lower == "sigmoid") out->parameters.function = ScoreFunction::kSigmoid;
      if (lower == "none") out->parameters.function = ScoreFunction::kNone;
    }
    if (out->parameters.function) return {};
    return fail(wrong_parameter("function_to_apply", "softmax, sigmoid, none, null"));
  }

  Status read_truncation(ondemand::value& value, ondemand::json_type type, bool* truncation) {
    if (type == ondemand::json_type::boolean) return check(value.get_bool().get(*truncation));
    std::string_view word;
    if (value.get_string().get(word) == simdjson::SUCCESS) {
      *truncation = word != "do_not_truncate";
      if (!*truncation || word == "longest_first") return {};
    }
    return fail(wrong_parameter("truncation", "true, false, longest_first, do_not_truncate"));
  }

  // Looks at all of a value that nobody asked for, without recursion: its nesting is the sender's.
  Status walk(ondemand::value& value, ondemand::json_type type, size_t depth) {
    std::string_view slice = value.raw_json_token();
    if (type == ondemand::json_type::array) {
      ondemand::array array;
      MR_TRY(check(value.get_array().get(array)));
      MR_TRY(check(array.raw_json().get(slice)));
    } else if (type == ondemand::json_type::object) {
      ondemand::object object;
      MR_TRY(check(value.get_object().get(object)));
      MR_TRY(check(object.raw_json().get(slice)));
    }
    const bool valid = !find_json_fault(slice, limits::kJsonDepthMax - depth);
    return check(valid ? simdjson::SUCCESS : simdjson::TAPE_ERROR);
  }

  // What is wrong with a document that is not JSON. simdjson only knows that something is.
  static Error explain(std::string_view document) {
    const auto fault = find_json_fault(document, limits::kJsonDepthMax);
    if (!fault) return bad_input("invalid JSON: a text holds half a surrogate pair");
    Error error = json_fault_error(*fault);
    if (valid_utf8_prefix(document) < document.size()) {
      error.message +=
          "; --invalid-utf8 replace (MILLRACE_INVALID_UTF8) accepts bytes that are not UTF-8";
    }
    return error;
  }
};

JsonRecordReader::JsonRecordReader(std::string text_column, bool replace_invalid_utf8)
    : impl_(std::make_unique<Impl>()) {
  impl_->text_column = std::move(text_column);
  impl_->replace_invalid = replace_invalid_utf8;
}

JsonRecordReader::~JsonRecordReader() = default;

Status JsonRecordReader::Impl::read(std::string_view document) {
  out->clear();
  found = false;
  broken = false;
  if (trimmed(document).empty()) {
    return fail(bad_input("the record is empty; expected a JSON document"));
  }
  Status status = parse(document);
  return broken ? fail(explain(document)) : status;
}

Status JsonRecordReader::read(std::string_view document, ParsedRecord* out) {
  impl_->out = out;
  Status status = impl_->read(document);
  if (!impl_->broken || !impl_->replace_invalid) return status;
  std::string repaired;
  replace_invalid_utf8(document, &repaired);
  replace_lone_surrogates(&repaired);
  if (repaired == document) return status;
  status = impl_->read(repaired);
  out->invalid_utf8 = true;
  return status;
}

}  // namespace millrace::handler
