// Things that Millrace makes once and keeps: an entry is a folder of the cache that appears whole
// or not at all, however many processes want it at one time and however one of them ends.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace millrace::jobs {

// Held until the descriptor is closed, by one process at a time; `folder` is made. cancelled.
Result<UniqueFd> lock_cache(const std::filesystem::path& folder, const std::string& name,
                            const CancelToken& cancel);

// The folder `cache`/`name`. Where it is not there yet, `fill` is called with an empty folder,
// which gets its name when it returns without an error. Others that want the same entry wait
// meanwhile; what a process that was killed had begun is removed first. Fails with fill's error,
// with cancelled while waiting, and with internal where the cache cannot be written.
Result<std::filesystem::path> cache_entry(
    const std::filesystem::path& cache, const std::string& name, const CancelToken& cancel,
    const std::function<Status(const std::filesystem::path&)>& fill);

// As above for what cannot be moved once it is made (a Python environment knows its own path): it
// is made in its place, and a file `.complete` in it says that it is whole.
Result<std::filesystem::path> cache_entry_in_place(
    const std::filesystem::path& cache, const std::string& name, const CancelToken& cancel,
    const std::function<Status(const std::filesystem::path&)>& fill);

}  // namespace millrace::jobs
