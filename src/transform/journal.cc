// Journal lines, written and read. Keys are byte strings, so every byte that is not plain is
// percent-encoded: a line holds no tab or line end but its own.
#include "transform/journal.h"

#include <charconv>
#include <utility>

#include "transform/file_io.h"

namespace millrace::transform {
namespace {

constexpr char kCommitting[] = "committing";
constexpr char kCommitted[] = "committed";
constexpr char kIntent[] = "upload_intent";
constexpr char kStarted[] = "upload_started";
constexpr char kEnded[] = "upload_ended";

uint64_t to_number(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string> committed_fields(const CommittedOutput& output) {
  return {kCommitted,
          output.output_key,
          output.input_etag,
          output.run_digest,
          std::to_string(output.output_size),
          output.output_etag,
          std::to_string(output.records),
          std::to_string(output.bytes_in),
          std::to_string(static_cast<uint64_t>(output.seconds * 1000)),
          counts_field(output.counts),
          std::to_string(output.failed_records)};
}

CommittedOutput parse_committed(const std::vector<std::string>& fields) {
  CommittedOutput output;
  output.output_key = fields[1];
  output.input_etag = fields[2];
  output.run_digest = fields[3];
  output.output_size = to_number(fields[4]);
  output.output_etag = fields[5];
  output.records = to_number(fields[6]);
  output.bytes_in = to_number(fields[7]);
  output.seconds = static_cast<double>(to_number(fields[8])) / 1000;
  output.counts = parse_counts(fields[9]);
  output.failed_records = to_number(fields[10]);
  return output;
}

// A line of another version, or one that a power cut damaged, is not understood and does not count.
void replay(const std::vector<std::string>& fields, JournalState* state) {
  const std::string& word = fields[0];
  const size_t count = fields.size();
  if (word == kCommitting && count == 3) {
    state->committing[fields[1]] = fields[2];
    state->committed.erase(fields[1]);
  } else if (word == kCommitted && count == 11) {
    state->committed[fields[1]] = parse_committed(fields);
  } else if (word == kIntent && count == 2) {
    state->open_uploads[fields[1]] = "";
  } else if (word == kStarted && count == 3) {
    state->open_uploads[fields[1]] = fields[2];
  } else if (word == kEnded && count == 2) {
    state->open_uploads.erase(fields[1]);
  }
}

}  // namespace

std::string counts_field(const handler::InvokeCounts& counts) {
  std::string text;
  for (uint64_t n : {counts.rows, counts.truncated, counts.duplicates, counts.empty,
                     counts.invalid_utf8, counts.not_model_language}) {
    text += std::to_string(n) + ",";
  }
  for (uint64_t n : counts.cleaned) text += std::to_string(n) + ",";
  text += std::to_string(counts.cached) + ",";
  return text;
}

handler::InvokeCounts parse_counts(std::string_view text) {
  handler::InvokeCounts counts;
  std::vector<uint64_t*> into = {&counts.rows,  &counts.truncated,    &counts.duplicates,
                                 &counts.empty, &counts.invalid_utf8, &counts.not_model_language};
  for (uint64_t& n : counts.cleaned) into.push_back(&n);
  into.push_back(&counts.cached);
  for (uint64_t* n : into) {
    const size_t comma = text.find(',');
    if (comma == std::string_view::npos) break;
    *n = to_number(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  return counts;
}

Result<JournalState> read_journal(WorkStorage& storage) {
  JournalState state;
  MR_TRY(storage.read_journal([&](std::string_view line) {
    const std::vector<std::string> fields = parse_line(line);
    if (!fields.empty()) replay(fields, &state);
  }));
  return state;
}

Result<std::unique_ptr<Journal>> Journal::create(WorkStorage& storage,
                                                 const JournalState& earlier) {
  std::string text;
  for (const auto& [key, digest] : earlier.committing)
    text += format_line({kCommitting, key, digest});
  for (const auto& [key, output] : earlier.committed) text += format_line(committed_fields(output));
  for (const auto& [key, id] : earlier.open_uploads) text += format_line({kStarted, key, id});
  MR_ASSIGN(auto log, storage.start_journal(text));
  return std::unique_ptr<Journal>(new Journal(std::move(log)));
}

Status Journal::append(const std::vector<std::string>& fields) {
  const std::string line = format_line(fields);
  std::lock_guard lock(mutex_);
  if (broken_) return fail(*broken_);
  if (Status status = log_->append(line); !status) {
    if (log_->broken()) broken_ = status.error();
    return status;
  }
  ++lines_;
  return {};
}

Status Journal::sync() {
  std::unique_lock lock(mutex_);
  const uint64_t wanted = lines_;
  synced_changed_.wait(lock, [&] { return !syncing_ || lines_synced_ >= wanted; });
  if (broken_) return fail(*broken_);
  if (lines_synced_ >= wanted) return {};
  syncing_ = true;
  const uint64_t lines = lines_;
  lock.unlock();
  const Status synced = log_->sync();
  lock.lock();
  syncing_ = false;
  if (synced) lines_synced_ = lines;
  if (!synced) broken_ = synced.error();
  synced_changed_.notify_all();
  if (broken_) return fail(*broken_);
  return {};
}

Status Journal::output_committing(std::string_view output_key, std::string_view run_digest) {
  return append({kCommitting, std::string(output_key), std::string(run_digest)});
}

Status Journal::output_committed(const CommittedOutput& output) {
  MR_TRY(append(committed_fields(output)));
  return log_->is_due() ? sync() : Status();
}

Status Journal::upload_intent(std::string_view key) {
  MR_TRY(append({kIntent, std::string(key)}));
  return sync();
}

Status Journal::upload_started(std::string_view key, std::string_view upload_id) {
  return append({kStarted, std::string(key), std::string(upload_id)});
}

Status Journal::upload_ended(std::string_view key) {
  return append({kEnded, std::string(key)});
}

}  // namespace millrace::transform
