// One listing tells which outputs exist; only these are looked at one by one, several at a time.
#include "transform/existing_outputs.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/uri.h"
#include "base/xxh3.h"
#include "transform/concurrently.h"
#include "transform/refusals.h"
#include "transform/work_area.h"

namespace millrace::transform {
namespace {

constexpr char kInput[] = "millrace-input";
constexpr char kSettings[] = "millrace-settings";
constexpr char kModel[] = "millrace-model";
constexpr char kIdentity[] = "millrace-identity";

// An output of the job and what goes into it: one object, or all of them.
struct Output {
  std::string key;
  std::string version;
  std::span<PlannedObject> objects;
};

std::vector<Output> outputs_of(TransformJob* job) {
  std::span<PlannedObject> all = job->objects;
  if (job->output_form.merges()) {
    return {{job->output_form.merge_key, merged_input_version(*job), all}};
  }
  std::vector<Output> outputs;
  outputs.reserve(all.size());
  for (PlannedObject& object : all) {
    outputs.push_back({object.output_key, input_version(object), {&object, 1}});
  }
  return outputs;
}

// Outputs that this very job committed, or may have, in an earlier run under these settings.
bool is_ours(const JournalState& earlier, const TransformJob& job, const std::string& key) {
  const auto found = earlier.committing.find(key);
  return found != earlier.committing.end() && found->second == run_digest(job);
}

std::string common_prefix(const std::set<std::string>& keys) {
  const std::string& first = *keys.begin();
  const std::string& last = *keys.rbegin();
  const auto differ = std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first;
  return std::string(first.begin(), differ);
}

// Those of `keys` that exist.
Result<std::set<std::string>> look_up(const std::set<std::string>& keys,
                                      store::ObjectStore& output) {
  std::set<std::string> found;
  for (const std::string& key : keys) {
    const Result<store::ObjectInfo> object = output.stat(key);
    if (object) found.insert(key);
    if (object) continue;
    // A key that the store cannot hold fails its own object, later.
    const Code code = object.error().code;
    if (code != Code::kNotFound && code != Code::kBadInput) return fail(object.error());
  }
  return found;
}

Result<std::set<std::string>> list(const std::set<std::string>& keys, store::ObjectStore& output) {
  std::set<std::string> found;
  auto visit = [&](const store::ObjectInfo& object) -> Status {
    if (keys.contains(object.key)) found.insert(object.key);
    return {};
  };
  Status status = output.list(common_prefix(keys), visit);
  // No folder yet, so nothing in it.
  if (!status && status.error().code != Code::kNotFound) return fail(std::move(status).error());
  return found;
}

// An errors file beside a new output would be taken for its own.
bool errors_files_matter(const TransformJob& job) {
  return job.record_errors.keep_going() || job.if_exists != IfExists::kFail;
}

Result<std::set<std::string>> existing(const TransformJob& job, const std::vector<Output>& outputs,
                                       store::ObjectStore& output) {
  std::set<std::string> keys;
  const bool errors_files = errors_files_matter(job);
  for (const Output& one : outputs) {
    if (job.if_exists != IfExists::kOverwrite) keys.insert(one.key);
    if (errors_files) keys.insert(errors_key(one.key));
  }
  if (keys.empty()) return keys;
  auto found = keys.size() <= limits::kStatOutputsMax ? look_up(keys, output) : list(keys, output);
  // Some may write outputs and not look at them; to replace them that is enough.
  const bool must_know = job.record_errors.keep_going() || job.if_exists != IfExists::kOverwrite;
  if (!found && !must_know) return std::set<std::string>();
  if (!found) return fail(std::move(found).error().within("look for existing outputs"));
  return found;
}

// Why the output is not what the job would write; "": it is.
std::string difference(const TransformJob& job, const std::string& version,
                       const std::string& identity, const store::ObjectInfo& output) {
  if (identity.empty()) return "the model does not say which version it is";
  if (version.empty()) return "nothing tells which version of the input it is made from";
  if (output.metadata.empty()) return "nothing tells what it was made from";
  const auto stamp = stamp_of(job, version, identity);
  const auto differs = [&](const char* name) {
    const auto found = output.metadata.find(name);
    return found == output.metadata.end() || found->second != stamp.at(name);
  };
  if (differs(kModel)) return "it was made by another model";
  if (differs(kIdentity)) return "it was made in another precision or by another version";
  if (differs(kInput)) return "its input has changed since";
  if (differs(kSettings)) return "it was made under other settings";
  return "";
}

Error in_the_way(const store::ObjectStore& output, const std::string& key, const std::string& why) {
  return already_exists("the output " + output.describe(key) + " exists already" + why +
                        "; nothing was started");
}

// Keeps those of the outputs that are what the job would write; the first other one is in the way
// where nothing may be replaced.
Status keep_matching(const TransformJob& job, store::ObjectStore& output,
                     const std::vector<Output*>& there, const std::string& identity) {
  std::vector<std::string> differences(there.size());
  concurrently(there.size(), [&](size_t i) {
    const Result<store::ObjectInfo> object = output.stat(there[i]->key);
    differences[i] =
        object ? difference(job, there[i]->version, identity, *object) : object.error().message;
    for (PlannedObject& planned : there[i]->objects) planned.kept = differences[i].empty();
  });
  if (job.if_exists == IfExists::kUpdate) return {};
  const auto other = std::find_if(differences.begin(), differences.end(),
                                  [](const std::string& why) { return !why.empty(); });
  if (other == differences.end()) return {};
  const Output& first = *there[static_cast<size_t>(other - differences.begin())];
  return fail(in_the_way(
      output, first.key,
      " and cannot be skipped: " + *other + " (--if-exists update does such outputs again)"));
}

}  // namespace

std::string input_version(const PlannedObject& planned) {
  return planned.input.etag;
}

std::string merged_input_version(const TransformJob& job) {
  Xxh3 digest;
  for (const PlannedObject& object : job.objects) {
    if (object.input.etag.empty()) return "";
    digest.field(object.input.key).field(object.input.etag);
  }
  return digest.hex();
}

std::map<std::string, std::string> stamp_of(const TransformJob& job, const std::string& version,
                                            const std::string& identity) {
  return {{kInput, percent_encode(version, true)},
          {kSettings, job.settings_digest},
          {kModel, percent_encode(job.model_digest, true)},
          {kIdentity, percent_encode(identity, true)}};
}

Status settle_existing_outputs(TransformJob* job, store::ObjectStore& output,
                               const JournalState& earlier, const std::string& identity) {
  std::vector<Output> outputs = outputs_of(job);
  MR_ASSIGN(const std::set<std::string> found, existing(*job, outputs, output));
  std::vector<Output*> there;
  for (Output& one : outputs) {
    const bool stale_errors = found.contains(errors_key(one.key));
    for (PlannedObject& planned : one.objects) planned.stale_errors = stale_errors;
    if (is_ours(earlier, *job, one.key)) continue;
    const bool exists = found.contains(one.key);
    if (job->if_exists == IfExists::kFail && (exists || stale_errors)) {
      return fail(in_the_way(output, exists ? one.key : errors_key(one.key), ""));
    }
    if (exists) there.push_back(&one);
  }
  if (job->if_exists == IfExists::kFail || job->if_exists == IfExists::kOverwrite) return {};
  return keep_matching(*job, output, there, identity);
}

}  // namespace millrace::transform
