// StagedParts: the results of parts that wait to be assembled, as files of the work area. A part's
// name says all that decides its bytes (object and its version, settings, model), and its result
// which range of the object it is, so that a job that goes on takes what matches and does the rest
// again.
//
//   NAME          the part's bytes of the output; there last, hence only when all is there
//   NAME.errors   its lines of the errors file, where a record was refused
//   NAME.result   its range, what it adds to the report, and how long the two others are
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "store/object_store.h"
#include "transform/part.h"
#include "transform/work_storage.h"

namespace millrace::transform {

// Thread-safe for different names.
class StagedParts {
 public:
  // The storage outlives it, and has opened its parts before anything here is called.
  explicit StagedParts(WorkStorage& storage) : storage_(storage) {}

  // `part` as it was staged whole; nullopt: it is to be done.
  std::optional<PartResult> find(const std::string& name, const Part& part) const;

  // A part's bytes, or its error lines: nothing is there before commit().
  Result<std::unique_ptr<store::ObjectWriter>> create(const std::string& name) const;
  Result<std::unique_ptr<store::ObjectWriter>> create_errors(const std::string& name) const;
  // REQUIRES: committed before the part's bytes are.
  Status write_result(const std::string& name, const Part& part, const PartResult& result) const;

  Result<std::unique_ptr<store::ObjectReader>> read(const std::string& name) const;
  // Appends the staged bytes (from `from` on) to `out`, a block at a time.
  Status copy(const std::string& name, store::ObjectWriter& out, uint64_t from = 0) const;
  // Null where the part has none.
  Result<std::unique_ptr<store::ObjectReader>> read_errors(const std::string& name) const;
  // Nothing where the part has none.
  Status copy_errors(const std::string& name, store::ObjectWriter& out) const;

  void remove(const std::string& name) const;  // none there: fine

 private:
  std::optional<PartResult> read_result(const std::string& name, const Part& part) const;
  Status copy_file(const std::string& file, store::ObjectWriter& out, uint64_t from) const;

  WorkStorage& storage_;
};

}  // namespace millrace::transform
