// The journal of a job: an append-only file that says what a job began and finished, so that the
// next run knows which uploads to abort, which outputs are this job's own, and which need no second
// run. A line is a word and its percent-encoded fields; a torn last line does not count.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"

namespace millrace::transform {

// An output that was committed: from what, and what it was then.
struct CommittedOutput {
  std::string output_key;
  std::string input_etag;
  std::string settings_digest;
  uint64_t output_size = 0;
  std::string output_etag;
  uint64_t records = 0;
  uint64_t failed_records = 0;
  uint64_t bytes_in = 0;
  double seconds = 0;
  handler::InvokeCounts counts;
};

// What an earlier run's journal says.
struct JournalState {
  std::map<std::string, CommittedOutput> committed;  // by output key
  // Outputs whose commit was begun, and under which settings: a kill may have hidden how it ended.
  std::map<std::string, std::string> committing;  // output key -> settings digest
  // Uploads without an end: key -> upload id, "" where only the intent is known.
  std::map<std::string, std::string> open_uploads;
};

// Counts as one field of a line, and back.
std::string counts_field(const handler::InvokeCounts& counts);
handler::InvokeCounts parse_counts(std::string_view text);

// No file: nothing happened yet.
Result<JournalState> read_journal(const std::filesystem::path& file);

// Thread-safe. A line is in the kernel's hands when its call answers, so that a kill loses nothing;
// where a power cut may not lose it either, the call also waits for the disk. Calls that wait at
// one time share one fdatasync.
class Journal : public store::UploadJournal {
 public:
  // Starts a new journal in place of `file`, which first repeats what of `earlier` still holds.
  static Result<std::unique_ptr<Journal>> create(const std::filesystem::path& file,
                                                 const JournalState& earlier);
  // Before an output is committed: from here on it may be there, and is this job's own.
  Status output_committing(std::string_view output_key, std::string_view settings_digest);
  Status output_committed(const CommittedOutput& output);
  Status sync();

  Status upload_intent(std::string_view key) override;  // waits for the disk
  Status upload_started(std::string_view key, std::string_view upload_id) override;
  Status upload_ended(std::string_view key) override;

 private:
  Journal(std::filesystem::path file, UniqueFd fd, uint64_t size)
      : file_(std::move(file)), fd_(std::move(fd)), size_(size) {}
  Status append(const std::vector<std::string>& fields);

  const std::filesystem::path file_;
  const UniqueFd fd_;
  std::mutex mutex_;
  uint64_t size_;
  std::condition_variable synced_changed_;
  uint64_t lines_ = 0;
  uint64_t lines_synced_ = 0;
  bool syncing_ = false;
  // After a sync that failed, what the file holds is not known: nothing more is promised.
  std::optional<Error> broken_;
};

}  // namespace millrace::transform
