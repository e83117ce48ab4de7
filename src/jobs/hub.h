// Models from the Hugging Face hub, or from a server that speaks its protocol, kept in the cache
// that Hugging Face's own tools use (models--ORG--NAME/{blobs,refs,snapshots}): what one has, so
// has the other.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/job_options.h"

namespace millrace::jobs {

struct HubOptions {
  std::string endpoint = "https://huggingface.co";
  std::filesystem::path cache_folder;  // ~/.cache/huggingface/hub
  std::string token;                   // "": none
  bool offline = false;
  std::function<void(std::string_view)> notice = [](std::string_view) {};
  CancelToken cancel;
};

// As Hugging Face's tools read them: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE,
// the token file; of AWS's images also HF_API_TOKEN.
HubOptions hub_options(const Variables& environment);

struct HubModel {
  std::string repository;         // "ORG/NAME"
  std::string revision = "main";  // branch, tag or commit
};

// "ORG/NAME[@REVISION]", with or without "hf://". invalid_argument: no such name can be.
Result<HubModel> parse_hub_model(std::string_view text);

// The snapshot that the cache has of it, with configuration and weights; not_found.
Result<std::filesystem::path> cached_hub_model(const HubModel& model, const HubOptions& options);

// Fetches what is missing of the revision's configuration, tokenizer and weights, and answers the
// snapshot's folder. Downloads that broke off go on where they were; every file's size and checksum
// (SHA-256, or Git's own) is compared before it has its name. Several may pull at once.
// not_found: no such repository or revision; invalid_argument: refused (401, 403), offline without
// a copy, or a checksum that does not match; unavailable; cancelled.
Result<std::filesystem::path> pull_hub_model(const HubModel& model, const HubOptions& options);

// Which of a repository's files a text classifier needs: configuration, tokenizer, model card, and
// weights in safetensors, or where there are none in pytorch_model.bin.
std::vector<std::string> wanted_files(const std::vector<std::string>& all);

}  // namespace millrace::jobs
