// The journal of a job: append-only lines that say what a job began and finished, so that the
// next run knows which uploads to abort, which outputs are this job's own, and which need no second
// run. A line is a word and its percent-encoded fields; a torn last line does not count.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/work_storage.h"

namespace millrace::transform {

// An output that was committed: from what, and what it was then.
struct CommittedOutput {
  std::string output_key;
  std::string input_etag;
  std::string run_digest;
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

// No journal: nothing happened yet.
Result<JournalState> read_journal(WorkStorage& storage);

// Thread-safe. In a folder a line is in the kernel's hands when its call answers, so that a kill
// loses nothing; in a store it may be lost with the machine until the lock is renewed. Where it may
// not, the call also waits for the disk, or the store. Calls that wait at one time share one sync.
class Journal : public store::UploadJournal {
 public:
  // Starts a new journal in place of the one there is; it first repeats what of `earlier` still
  // holds. The storage outlives it.
  static Result<std::unique_ptr<Journal>> create(WorkStorage& storage, const JournalState& earlier);
  // Before an output is committed: from here on it may be there, and is this job's own.
  Status output_committing(std::string_view output_key, std::string_view run_digest);
  Status output_committed(const CommittedOutput& output);
  Status sync();

  Status upload_intent(std::string_view key) override;  // waits for the disk
  Status upload_started(std::string_view key, std::string_view upload_id) override;
  Status upload_ended(std::string_view key) override;

 private:
  explicit Journal(std::unique_ptr<JournalLog> log) : log_(std::move(log)) {}
  Status append(const std::vector<std::string>& fields);

  const std::unique_ptr<JournalLog> log_;
  std::mutex mutex_;
  std::condition_variable synced_changed_;
  uint64_t lines_ = 0;
  uint64_t lines_synced_ = 0;
  bool syncing_ = false;
  // After a sync that failed, what the file holds is not known: nothing more is promised.
  std::optional<Error> broken_;
};

}  // namespace millrace::transform
