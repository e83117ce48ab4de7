// Where a model comes from: a folder, a model.tar.gz (a file, or an object in S3) that is unpacked
// once for each content, a repository of the Hugging Face hub, or the name of a model that ships
// with the program.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/result.h"
#include "jobs/hub.h"
#include "store/object_store.h"

namespace millrace::jobs {

inline constexpr const char* kDefaultModel = "sst2-small";

using StoreFactory =
    std::function<Result<std::unique_ptr<store::ObjectStore>>(const store::Location&)>;

struct ArtifactOptions {
  std::vector<std::filesystem::path> shipped_model_folders;  // looked through in order
  std::filesystem::path cache_folder;                        // unpacked archives
  StoreFactory make_store;                                   // for s3:// artefacts
  // Told how far a large archive is.
  std::function<void(std::string_view)> notice = [](std::string_view) {};
  CancelToken cancel;
  HubOptions hub;                               // for hf:// models
  uint64_t bytes_max = limits::kModelBytesMax;  // of what an archive unpacks to
  uint64_t entries_max = limits::kModelEntriesMax;
};

struct ModelArtifact {
  std::filesystem::path folder;
  std::string name;  // how summaries call it: the shipped name, or what the user wrote
};

// Finds the model named `model`. Nothing of that name, or an archive that is damaged, too large or
// tries to leave its folder (absolute paths, "..", links, devices), is invalid_argument with the
// cause and the entry; an archive is visible in the cache only when it was unpacked whole.
Result<ModelArtifact> find_model(const std::string& model, const ArtifactOptions& options);

// By its name, the object is a model or a file of one: model.tar.gz, model.safetensors, ...
bool is_model_artifact(std::string_view key);

}  // namespace millrace::jobs
