// The listing, or a manifest's keys, become the plan.
#include "transform/plan_inputs.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>
#include <utility>

#include "transform/concurrently.h"

namespace millrace::transform {
namespace {

std::string_view folder_of(std::string_view prefix) {
  return prefix.substr(0, prefix.rfind('/') + 1);  // npos + 1 == 0: no folder
}

// SageMaker's jobs show it: S3Uri 's3://b/batch_input' gives 'batch_input/0.png' the output
// '0.png.out'; a prefix of one whole key yields its base name.
std::string_view relative_key(std::string_view key, std::string_view prefix) {
  const bool is_folder = !prefix.empty() && !prefix.ends_with('/') && key.size() > prefix.size() &&
                         key[prefix.size()] == '/';
  return key.substr(is_folder ? prefix.size() + 1 : folder_of(prefix).size());
}

// '_SUCCESS', '.crc' files, '_temporary/part-0': what tools leave beside their data.
bool has_marker_component(std::string_view relative) {
  bool component_starts = true;
  for (char c : relative) {
    if (component_starts && (c == '_' || c == '.')) return true;
    component_starts = c == '/';
  }
  return false;
}

// Why the CLI leaves this object out; empty: it does not.
std::string_view reason_to_skip(const store::ObjectInfo& object, const PlanOptions& options) {
  if (!object.problem.empty() && object.key.ends_with('/'))
    return "";  // what is in it is not known
  if (object.size == 0 && object.key.ends_with('/')) return "it marks a folder";
  if (!options.skip_markers) return "";
  // An object that was named in full was meant, whatever it is called.
  const bool named = options.keys || object.key == options.input_prefix;
  if (!named && has_marker_component(relative_key(object.key, options.input_prefix))) {
    return "its name begins with '_' or '.'";
  }
  if (object.size == 0 && object.problem.empty()) return "it is empty";
  return "";
}

std::string output_key_of(std::string_view relative, const PlanOptions& options) {
  if (options.output_is_object) return options.output_prefix;
  return options.output_prefix + std::string(relative) + options.output_suffix;
}

// An entry of a manifest; what cannot be there is an object with a problem, which fails alone.
Result<store::ObjectInfo> find_listed(store::ObjectStore& input, const std::string& key) {
  Result<store::ObjectInfo> found = input.stat(key);
  if (found) return found;
  const Code code = found.error().code;
  if (code != Code::kNotFound && code != Code::kBadInput) return found;
  store::ObjectInfo missing;
  missing.key = key;
  missing.problem = "the manifest lists it, but there is no such object";
  if (code == Code::kBadInput) missing.problem = found.error().message;
  return missing;
}

// One request for each entry: as many at one time as objects are worked on.
Result<std::vector<store::ObjectInfo>> find_all_listed(store::ObjectStore& input,
                                                       const std::vector<std::string>& keys) {
  std::vector<Result<store::ObjectInfo>> found(keys.size());
  std::atomic<bool> failed{false};
  concurrently(keys.size(), [&](size_t i) {
    if (failed) return;
    found[i] = find_listed(input, keys[i]);
    if (!found[i]) failed = true;
  });
  std::vector<store::ObjectInfo> objects;
  for (auto& object : found) {
    if (!object) return fail(std::move(object).error());
    objects.push_back(std::move(*object));
  }
  return objects;
}

Status check_outputs_differ(const std::vector<PlannedObject>& objects) {
  std::unordered_set<std::string_view> seen;
  for (const PlannedObject& object : objects) {
    if (!seen.insert(object.output_key).second) {
      return fail(invalid_argument("two inputs would be written to the one output '" +
                                   object.output_key + "'; the second is '" + object.input.key +
                                   "'"));
    }
  }
  return {};
}

}  // namespace

Result<Plan> plan_inputs(store::ObjectStore& input, const PlanOptions& options) {
  Plan plan;
  auto add = [&](const store::ObjectInfo& object, std::string_view relative) {
    if (std::string_view why = reason_to_skip(object, options); !why.empty()) {
      plan.skipped.push_back(input.describe(object.key) + ": " + std::string(why));
    } else {
      plan.objects.push_back({object, output_key_of(relative, options)});
    }
  };
  auto visit = [&](const store::ObjectInfo& object) -> Status {
    add(object, relative_key(object.key, options.input_prefix));
    return {};
  };
  if (options.keys) {
    std::vector<std::string> keys;
    for (const std::string& key : *options.keys) keys.push_back(options.input_prefix + key);
    MR_ASSIGN(const auto objects, find_all_listed(input, keys));
    for (size_t i = 0; i < keys.size(); ++i) add(objects[i], (*options.keys)[i]);
    std::sort(plan.objects.begin(), plan.objects.end(),
              [](const auto& a, const auto& b) { return a.input.key < b.input.key; });
  } else if (options.input_is_object) {
    MR_ASSIGN(const store::ObjectInfo object, input.stat(options.input_prefix));
    MR_TRY(visit(object));
  } else {
    MR_TRY(input.list(options.input_prefix, visit));
  }
  MR_TRY(check_outputs_differ(plan.objects));
  return plan;
}

}  // namespace millrace::transform
