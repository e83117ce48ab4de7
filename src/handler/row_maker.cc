// Each question is asked once, in the order in which the answers depend on each other.
#include "handler/row_maker.h"

#include <algorithm>

#include "handler/utf8.h"

namespace millrace::handler {

namespace {

// [CLS] text [SEP] text [SEP]
constexpr size_t kPairLengthMin = 3;

// The text as valid UTF-8: in place, or replaced in *buffer. *replaced tells which.
Result<std::string_view> valid_text(InvalidUtf8 policy, std::string_view text, std::string* buffer,
                                    bool* replaced) {
  const size_t valid = valid_utf8_prefix(text);
  if (valid == text.size()) return text;
  if (policy == InvalidUtf8::kError) {
    return fail(bad_input(
        "byte " + std::to_string(valid) +
        " of the text is not UTF-8, and --invalid-utf8 (MILLRACE_INVALID_UTF8) is error"));
  }
  replace_invalid_utf8(text, buffer);
  *replaced = true;
  return *buffer;
}

EmptyText empty_policy(const NativeOptions& options, const RowText& text, TextSource source) {
  if (options.empty != EmptyText::kDefault) return options.empty;
  return source == TextSource::kJson && !text.null ? EmptyText::kClassify : EmptyText::kBlank;
}

}  // namespace

Result<RowKind> make_row(const NativeContext& context, const RowText& text, TextSource source,
                         uint32_t max_length, Workspace& workspace, RowBlock* block,
                         InvokeCounts* counts) {
  const NativeOptions& options = context.options;
  bool replaced = false;
  MR_ASSIGN(std::string_view first,
            valid_text(options.invalid_utf8, text.text, &workspace.first_repaired, &replaced));
  MR_ASSIGN(std::string_view second,
            valid_text(options.invalid_utf8, text.pair, &workspace.second_repaired, &replaced));
  if (replaced) ++counts->invalid_utf8;
  ++counts->rows;
  first = workspace.first_cleaner.clean(first, &counts->cleaned);
  second = workspace.second_cleaner.clean(second, &counts->cleaned);

  if (text.null || (is_blank(first) && is_blank(second))) {
    ++counts->empty;
    const EmptyText policy = empty_policy(options, text, source);
    if (policy == EmptyText::kError) {
      return fail(bad_input("the text is empty, and --empty (MILLRACE_EMPTY) is error"));
    }
    if (policy != EmptyText::kClassify) {
      block->add_blank();
      return policy == EmptyText::kOtherwise ? RowKind::kOtherwise : RowKind::kBlank;
    }
  }
  if (context.language.looks_outside(first) || context.language.looks_outside(second)) {
    ++counts->not_model_language;
  }
  size_t length = context.model->max_length();
  if (max_length > 0) length = std::min<size_t>(length, max_length);
  const model::Tokenizer& tokenizer = *context.model->tokenizer();
  if (text.has_pair) {
    if (length < kPairLengthMin) {
      return fail(bad_input("parameter \"max_length\": a pair of texts needs at least 3"));
    }
    tokenizer.encode_pair(first, second, length, &workspace.encoding);
  } else {
    tokenizer.encode(first, length, &workspace.encoding);
  }
  if (workspace.encoding.truncated) ++counts->truncated;
  block->add(workspace.encoding.ids, workspace.encoding.token_type_ids);
  return RowKind::kEncoded;
}

}  // namespace millrace::handler
