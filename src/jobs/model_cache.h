// Models that stay loaded between jobs, so that the next job with the same one starts at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "model/text_classification_model.h"

namespace millrace::jobs {

class ModelCache {
 public:
  using ModelRef = std::shared_ptr<const model::TextClassificationModel>;

  // Keeps models of `bytes_max` together; what was used longest ago goes first. A model in use
  // lives on with whoever uses it.
  explicit ModelCache(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // TextClassificationModel::load, unless the folder's files (by name, size and time) were loaded
  // with the same precision and instruction set before. Who asks for a model that is being loaded
  // waits for it. Thread-safe.
  Result<ModelRef> load(const std::filesystem::path& folder, const model::LoadOptions& options);

  struct Counts {
    uint64_t loads = 0, hits = 0;
    uint64_t models = 0, bytes = 0;  // held now
  };
  Counts counts() const;

 private:
  struct Entry {
    std::string key;
    std::shared_future<Result<ModelRef>> loading;
    uint64_t bytes = 0;  // 0: not loaded yet
  };
  using Entries = std::list<Entry>;  // the latest used first

  Entries::iterator find(const std::string& key);
  void settle(const std::string& key, const Result<ModelRef>& loaded);

  const uint64_t bytes_max_;
  mutable std::mutex mutex_;
  Entries entries_;
  Counts counts_;
};

}  // namespace millrace::jobs
