#include "jobs/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/uri.h"
#include "jobs/cache_entry.h"
#include "jobs/hub_file.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

std::string value_of(const Variables& variables, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = variables.find(name);
    if (found != variables.end() && !found->second.empty()) return found->second;
  }
  return "";
}

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

bool is_true(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text == "1" || text == "true" || text == "yes" || text == "on";
}

// One component of a path, which comes from elsewhere.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kFileNameBytesMax && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

// A branch may have slashes.
bool is_revision(std::string_view text) {
  for (;;) {
    const size_t slash = text.find('/');
    if (!is_plain_name(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(),
                                          [](unsigned char c) { return std::isxdigit(c) != 0; });
}

fs::path folder_of(const HubModel& model, const HubOptions& options) {
  std::string name = "models--" + model.repository;
  if (const size_t slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  return options.cache_folder / name;
}

bool is_complete(const fs::path& snapshot) {
  std::error_code ignored;
  if (!fs::exists(snapshot / "config.json", ignored)) return false;
  for (const char* name : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                           "pytorch_model.bin.index.json"}) {
    if (fs::exists(snapshot / name, ignored)) return true;
  }
  return false;
}

struct Listing {
  std::string commit;
  std::vector<std::string> files;
};

std::string place_of(const HubModel& model, const HubOptions& options) {
  return fmt::format("{}@{} on {}", model.repository, model.revision, options.endpoint);
}

Error refused(const HubModel& model, const HubOptions& options, int status) {
  const std::string what = place_of(model, options);
  if (status == 404) {
    return not_found(what + ": no such repository or revision, or a private one without a token");
  }
  if (status == 401 || status == 403) {
    return invalid_argument(fmt::format(
        "{}: refused ({}); {}", what, status,
        options.token.empty() ? "set HF_TOKEN to a token that may" : "the token may not read it"));
  }
  return unavailable(fmt::format("{}: answered {}", what, status));
}

Result<Listing> parse_listing(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  Listing listing;
  if (json.is_object() && json.contains("sha") && json["sha"].is_string()) {
    listing.commit = json["sha"].get<std::string>();
  }
  if (!is_commit(listing.commit) || !json.contains("siblings") || !json["siblings"].is_array()) {
    return fail(corruption("the hub's answer is no list of a model's files"));
  }
  for (const auto& sibling : json["siblings"]) {
    if (!sibling.is_object() || !sibling.contains("rfilename")) continue;
    const auto* const name = sibling["rfilename"].get_ptr<const std::string*>();
    if (name != nullptr) listing.files.push_back(*name);
  }
  return listing;
}

Result<Listing> list_files(HubConnection* hub, const HubModel& model, const HubOptions& options) {
  auto reply =
      hub->get(fmt::format("{}/api/models/{}/revision/{}", options.endpoint,
                           percent_encode(model.repository, true), percent_encode(model.revision)));
  if (!reply) return fail(std::move(reply).error().within(place_of(model, options)));
  if (reply->status != 200) return fail(refused(model, options, reply->status));
  auto listing = parse_listing(reply->body);
  if (!listing) return fail(std::move(listing).error().within(place_of(model, options)));
  return listing;
}

// A link, as Hugging Face's tools make it, so that revisions share what did not change.
Status link_file(const fs::path& snapshot, const std::string& name, const std::string& blob) {
  std::error_code error;
  fs::create_directories(snapshot, error);
  fs::remove(snapshot / name, error);
  fs::create_symlink(fs::path("../../blobs") / blob, snapshot / name, error);
  if (error) {
    return fail(errno_error("link " + (snapshot / name).string(), error.value()));
  }
  return {};
}

Status note_revision(const fs::path& folder, const HubModel& model, const std::string& commit) {
  if (model.revision == commit) return {};
  const fs::path path = folder / "refs" / model.revision;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path);
  out << commit;
  out.close();
  if (!out) return fail(internal_error("cannot write " + path.string()));
  return {};
}

Result<fs::path> pull(HubConnection* hub, const HubModel& model, const HubOptions& options) {
  MR_ASSIGN(const Listing listing, list_files(hub, model, options));
  const std::vector<std::string> files = wanted_files(listing.files);
  const fs::path folder = folder_of(model, options);
  const fs::path snapshot = folder / "snapshots" / listing.commit;
  for (const std::string& file : files) {
    std::error_code ignored;
    if (fs::exists(snapshot / file, ignored)) continue;
    const std::string url =
        fmt::format("{}/{}/resolve/{}/{}", options.endpoint, percent_encode(model.repository, true),
                    listing.commit, percent_encode(file));
    auto blob = fetch_hub_file(hub, url, folder / "blobs");
    if (!blob) return fail(std::move(blob).error().within(model.repository + ": " + file));
    MR_TRY(link_file(snapshot, file, *blob));
  }
  if (!is_complete(snapshot)) {
    return fail(invalid_argument(model.repository +
                                 " has no config.json with weights in safetensors or PyTorch's "
                                 "format"));
  }
  MR_TRY(note_revision(folder, model, listing.commit));
  return snapshot;
}

}  // namespace

HubOptions hub_options(const Variables& environment) {
  HubOptions options;
  const std::string endpoint = value_of(environment, {"HF_ENDPOINT"});
  if (!endpoint.empty()) options.endpoint = endpoint;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  fs::path home = value_of(environment, {"HF_HOME"});
  if (home.empty()) {
    fs::path cache = value_of(environment, {"XDG_CACHE_HOME"});
    if (cache.empty()) cache = fs::path(value_of(environment, {"HOME"})) / ".cache";
    home = cache / "huggingface";
  }
  options.cache_folder = value_of(environment, {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  if (options.cache_folder.empty()) options.cache_folder = home / "hub";
  options.token = value_of(environment, {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_API_TOKEN"});
  if (options.token.empty()) {
    const std::string file = value_of(environment, {"HF_TOKEN_PATH"});
    options.token = first_line(file.empty() ? home / "token" : fs::path(file));
  }
  options.offline = is_true(value_of(environment, {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}));
  return options;
}

Result<HubModel> parse_hub_model(std::string_view text) {
  constexpr std::string_view kScheme = "hf://";
  std::string_view rest = text;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  HubModel model;
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    model.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  model.repository = rest;
  const size_t slash = rest.find('/');
  const bool organisation = slash == std::string_view::npos || is_plain_name(rest.substr(0, slash));
  // npos + 1 is 0: a name without an organisation is all name.
  if (organisation && is_plain_name(rest.substr(slash + 1)) && is_revision(model.revision)) {
    return model;
  }
  return fail(invalid_argument(fmt::format("{}: expected ORG/NAME[@REVISION]", text)));
}

std::vector<std::string> wanted_files(const std::vector<std::string>& all) {
  constexpr std::array<std::string_view, 8> kTexts = {"config.json",
                                                      "tokenizer.json",
                                                      "tokenizer_config.json",
                                                      "special_tokens_map.json",
                                                      "added_tokens.json",
                                                      "vocab.txt",
                                                      "README.md",
                                                      "merges.txt"};
  const auto weights = [&](std::string_view stem, std::string_view extension) {
    std::vector<std::string> files;
    for (const std::string& name : all) {
      const bool index = name == fmt::format("{}{}.index.json", stem, extension);
      const bool file = name.starts_with(stem) && name.ends_with(extension);
      if (is_plain_name(name) && (index || file)) files.push_back(name);
    }
    return files;
  };
  std::vector<std::string> out;
  for (const std::string& name : all) {
    if (std::find(kTexts.begin(), kTexts.end(), name) != kTexts.end()) out.push_back(name);
  }
  std::vector<std::string> tensors = weights("model", ".safetensors");
  if (tensors.empty()) tensors = weights("pytorch_model", ".bin");
  out.insert(out.end(), tensors.begin(), tensors.end());
  return out;
}

Result<fs::path> cached_hub_model(const HubModel& model, const HubOptions& options) {
  const fs::path folder = folder_of(model, options);
  std::string commit = first_line(folder / "refs" / model.revision);
  if (commit.empty()) commit = model.revision;
  const fs::path snapshot = folder / "snapshots" / commit;
  if (is_commit(commit) && is_complete(snapshot)) return snapshot;
  return fail(not_found(fmt::format("{}@{} is not in the cache {}", model.repository,
                                    model.revision, options.cache_folder.string())));
}

Result<fs::path> pull_hub_model(const HubModel& model, const HubOptions& options) {
  if (options.offline) {
    auto cached = cached_hub_model(model, options);
    if (cached) return cached;
    return fail(invalid_argument("HF_HUB_OFFLINE is set, and " + cached.error().message));
  }
  if (auto url = parse_endpoint_url(options.endpoint); !url) {
    return fail(std::move(url).error().within("HF_ENDPOINT"));
  }
  MR_ASSIGN(const auto locked,
            lock_cache(options.cache_folder / ".locks",
                       folder_of(model, options).filename().string() + ".lock", options.cancel));
  HubConnection hub(options);
  auto pulled = pull(&hub, model, options);
  if (pulled || pulled.error().code != Code::kUnavailable) return pulled;
  const auto cached = cached_hub_model(model, options);
  if (!cached) return pulled;
  options.notice(pulled.error().message + "; using the copy in the cache");
  return *cached;
}

}  // namespace millrace::jobs
