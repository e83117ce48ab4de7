// Loading happens outside the lock; a promise in the list tells others that it is under way.
#include "jobs/model_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "base/xxh3.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// Tells a folder's content from another's without reading the weights.
std::string fingerprint(const fs::path& folder, const model::LoadOptions& options) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    struct stat file = {};
    if (::stat(entry.path().c_str(), &file) != 0) continue;
    files.push_back(entry.path().filename().string() + ' ' + std::to_string(file.st_size) + ' ' +
                    std::to_string(file.st_ino) + ' ' + std::to_string(file.st_mtim.tv_sec) + '.' +
                    std::to_string(file.st_mtim.tv_nsec));
  }
  std::sort(files.begin(), files.end());
  Xxh3 digest;
  digest.field(fs::weakly_canonical(folder, ignored).string()).field(options.isa);
  digest.field(std::to_string(static_cast<int>(options.precision)));
  for (const std::string& file : files) digest.field(file);
  return digest.hex();
}

// Of the weights in memory; the rest of a model is small beside them.
uint64_t bytes_of(const model::TextClassificationModel& model) {
  const uint64_t parameters = model.info().parameters;
  switch (model.info().precision) {
    case model::Precision::kFp32:
      return parameters * 4;
    case model::Precision::kBf16:
      return parameters * 2;
    default:
      return parameters;
  }
}

}  // namespace

ModelCache::Entries::iterator ModelCache::find(const std::string& key) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [&](const Entry& entry) { return entry.key == key; });
}

Result<ModelCache::ModelRef> ModelCache::load(const fs::path& folder,
                                              const model::LoadOptions& options) {
  const std::string key = fingerprint(folder, options);
  std::promise<Result<ModelRef>> promise;
  {
    std::unique_lock lock(mutex_);
    if (const auto found = find(key); found != entries_.end()) {
      ++counts_.hits;
      entries_.splice(entries_.begin(), entries_, found);
      const auto loading = found->loading;
      lock.unlock();
      return loading.get();
    }
    ++counts_.loads;
    entries_.push_front({key, promise.get_future().share(), 0});
  }
  Result<ModelRef> loaded = model::TextClassificationModel::load(folder, options);
  settle(key, loaded);
  promise.set_value(loaded);
  return loaded;
}

void ModelCache::settle(const std::string& key, const Result<ModelRef>& loaded) {
  Entries gone;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto entry = find(key);
  if (!loaded) {
    gone.splice(gone.begin(), entries_, entry);
    return;
  }
  entry->bytes = bytes_of(**loaded);
  counts_.bytes += entry->bytes;
  for (auto last = entries_.end(); counts_.bytes > bytes_max_ && last != entries_.begin();) {
    const auto candidate = std::prev(last);
    if (candidate->bytes == 0) {  // being loaded
      last = candidate;
      continue;
    }
    counts_.bytes -= candidate->bytes;
    gone.splice(gone.begin(), entries_, candidate);
  }
}

ModelCache::Counts ModelCache::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.models = static_cast<uint64_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.bytes > 0; }));
  return counts;
}

}  // namespace millrace::jobs
