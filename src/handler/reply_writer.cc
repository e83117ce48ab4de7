// JSON is written by hand: four fixed shapes, compact, and numbers that must read as Python's do.
#include "handler/reply_writer.h"

#include <algorithm>
#include <cmath>

#include "handler/python_float.h"
#include "record/join.h"

namespace millrace::handler {

namespace {

using record::MediaType;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

MediaType default_reply(MediaType content_type) {
  if (content_type == MediaType::kJson || content_type == MediaType::kJsonLines) {
    return content_type;
  }
  return MediaType::kCsv;
}

bool all_finite(std::span<const float> numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](float x) { return std::isfinite(x); });
}

Error not_a_number() {
  return bad_input("the model's result for this text is not a number");
}

}  // namespace

Result<MediaType> reply_type(std::string_view accept, MediaType content_type) {
  std::string_view rest = accept;
  if (trimmed(rest).empty()) return default_reply(content_type);
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view one = trimmed(rest.substr(0, comma));
    const std::string_view type = trimmed(one.substr(0, one.find(';')));
    const MediaType media = record::media_type(one);
    if (type == "*/*") return default_reply(content_type);
    if (media == MediaType::kJson || media == MediaType::kJsonLines || media == MediaType::kCsv) {
      return media;
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return fail(bad_input("Accept '" + std::string(accept) +
                        "': the native model replies in application/json, "
                        "application/jsonlines or text/csv"));
}

std::string_view media_type_name(MediaType type) {
  if (type == MediaType::kJson) return "application/json";
  if (type == MediaType::kJsonLines) return "application/jsonlines";
  return "text/csv";
}

Status ReplyWriter::append_record(const RecordParameters& parameters, RecordShape shape,
                                  const RowResults& rows) {
  const size_t begin = out_.size();
  const bool list = !csv_ && shape == RecordShape::kList;
  if (list) out_.push_back('[');
  for (size_t row = 0; row < rows.kinds.size(); ++row) {
    if (row > 0) out_.push_back(csv_ ? '\n' : ',');
    Status status = append_row(parameters, shape, rows, row);
    if (!status) {
      out_.resize(begin);
      return status;
    }
  }
  if (list) out_.push_back(']');
  return {};
}

Status ReplyWriter::append_row(const RecordParameters& parameters, RecordShape shape,
                               const RowResults& rows, size_t row) {
  const size_t at = rows.first_row + row;
  const size_t labels = context_.label_count();
  const std::span<const float> logits(rows.block->logits.data() + at * labels, labels);
  const RowKind kind = rows.kinds[row];
  const std::string_view echo = rows.echo(row);
  if (csv_) out_.append(echo);
  switch (context_.options.output) {
    case OutputShape::kDefault:
      return append_labels(parameters, shape, kind, logits, echo);
    case OutputShape::kColumns:
      return append_columns(parameters, kind, logits, echo);
    case OutputShape::kLogits:
      return append_numbers(kind, logits, /*named=*/true, echo);
    case OutputShape::kEmbedding: {
      const size_t hidden = context_.model->info().hidden_size;
      const float* embedding = rows.block->embeddings.data() + at * hidden;
      return append_numbers(kind, {embedding, hidden}, /*named=*/false, echo);
    }
  }
  return {};
}

Status ReplyWriter::compute_scores(const RecordParameters& parameters,
                                   std::span<const float> logits) {
  if (!all_finite(logits)) return fail(not_a_number());
  const ScoreFunction function = parameters.function.value_or(context_.default_function);
  if (function == ScoreFunction::kNone && !context_.options.thresholds.empty()) {
    return fail(
        bad_input("parameter \"function_to_apply\" is none, but --thresholds "
                  "(MILLRACE_THRESHOLDS) needs probabilities"));
  }
  workspace_.scores.resize(logits.size());
  apply_score_function(function, logits, workspace_.scores.data());
  return {};
}

// {"label":..,"score":..}, in a list where Hugging Face makes one: for a single text, and for every
// row as soon as top_k is given.
Status ReplyWriter::append_labels(const RecordParameters& parameters, RecordShape shape,
                                  RowKind kind, std::span<const float> logits,
                                  std::string_view echo) {
  const NativeOptions& options = context_.options;
  if (parameters.top_k && !options.thresholds.empty()) {
    return fail(
        bad_input("parameter \"top_k\" and --thresholds (MILLRACE_THRESHOLDS) exclude each other"));
  }
  const bool wrapped = !csv_ && (parameters.top_k || shape == RecordShape::kText);
  if (kind == RowKind::kEncoded) MR_TRY(compute_scores(parameters, logits));
  if (wrapped) out_.push_back('[');
  if (kind == RowKind::kBlank) {
    append_label(echo, nullptr, {}, nullptr);
  } else if (kind == RowKind::kOtherwise) {
    append_label(echo, &context_.json_otherwise, options.otherwise, nullptr);
  } else if (parameters.top_k) {
    order_labels(workspace_.scores, &workspace_.label_order);
    const size_t count = std::min<size_t>(*parameters.top_k, workspace_.scores.size());
    for (size_t i = 0; i < count; ++i) {
      const uint32_t id = workspace_.label_order[i];
      if (i > 0) out_.push_back(csv_ ? delimiter_ : ',');
      append_label(echo, &context_.json_labels[id], options.labels[id], &workspace_.scores[id]);
    }
  } else {
    const Decision given =
        decide(workspace_.scores, options.thresholds, !options.otherwise.empty());
    append_label(echo, given.label ? &context_.json_labels[*given.label] : &context_.json_otherwise,
                 given.label ? options.labels[*given.label] : options.otherwise, &given.score);
  }
  if (wrapped) out_.push_back(']');
  return {};
}

void ReplyWriter::append_label(std::string_view echo, const std::string* json,
                               std::string_view plain, const float* score) {
  if (csv_) {
    if (json != nullptr) record::append_csv_field(plain, delimiter_, &out_);
    out_.push_back(delimiter_);
    if (score != nullptr) append_number(*score);
    return;
  }
  out_.append("{").append(echo);
  out_.append(R"("label":)").append(json != nullptr ? std::string_view(*json) : "null");
  out_.append(R"(,"score":)");
  if (score != nullptr) {
    append_number(*score);
  } else {
    out_.append("null");
  }
  out_.push_back('}');
}

Status ReplyWriter::append_columns(const RecordParameters& parameters, RowKind kind,
                                   std::span<const float> logits, std::string_view echo) {
  const NativeOptions& options = context_.options;
  Decision given;
  if (kind == RowKind::kEncoded) {
    MR_TRY(compute_scores(parameters, logits));
    given = decide(workspace_.scores, options.thresholds, !options.otherwise.empty());
  }
  const bool otherwise = kind != RowKind::kBlank && !given.label;
  const std::string* json = otherwise ? &context_.json_otherwise : nullptr;
  if (given.label) json = &context_.json_labels[*given.label];
  const auto name = [&](size_t column) {
    if (column > 0) out_.push_back(csv_ ? delimiter_ : ',');
    if (!csv_) out_.append(context_.json_columns[column]).push_back(':');
  };
  const auto number = [&](float value) {
    if (kind == RowKind::kEncoded) {
      append_number(value);
    } else if (!csv_) {
      out_.append("null");
    }
  };
  if (!csv_) out_.append("{").append(echo);
  name(0);
  if (!csv_) {
    out_.append(json != nullptr ? std::string_view(*json) : "null");
  } else if (json != nullptr) {
    record::append_csv_field(otherwise ? options.otherwise : options.labels[*given.label],
                             delimiter_, &out_);
  }
  name(1);
  number(given.score);
  for (size_t id = 0; id < logits.size(); ++id) {
    name(2 + id);
    number(kind == RowKind::kEncoded ? workspace_.scores[id] : 0);
  }
  if (!csv_) out_.push_back('}');
  return {};
}

// An embedding alone is a list; behind a text it needs a name.
Status ReplyWriter::append_numbers(RowKind kind, std::span<const float> numbers, bool named,
                                   std::string_view echo) {
  const bool blank = kind != RowKind::kEncoded;
  const bool in_object = !csv_ && !named && !echo.empty();
  if (!blank && !all_finite(numbers)) return fail(not_a_number());
  if (in_object) out_.append("{").append(echo).append(R"("embedding":)");
  if (blank && !csv_ && !named) {
    out_.append(in_object ? "null}" : "null");
    return {};
  }
  if (!csv_) out_.push_back(named ? '{' : '[');
  if (!csv_ && named) out_.append(echo);
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) out_.push_back(csv_ ? delimiter_ : ',');
    if (!csv_ && named) out_.append(context_.json_columns[i]).push_back(':');
    if (!blank) {
      append_number(numbers[i]);
    } else if (!csv_) {
      out_.append("null");
    }
  }
  if (!csv_) out_.push_back(named ? '}' : ']');
  if (in_object) out_.push_back('}');
  return {};
}

void ReplyWriter::append_number(float number) {
  double value = static_cast<double>(number);
  if (context_.options.score_digits) value = python_round(value, *context_.options.score_digits);
  append_python_float(value, &out_);
}

}  // namespace millrace::handler
