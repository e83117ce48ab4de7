// The listing becomes the plan. An output's name is what the input's key has after the folder that
// the prefix names, so that a prefix of one whole key yields its base name, as SageMaker does.
#include "transform/plan_inputs.h"

#include <unordered_set>
#include <utility>

namespace millrace::transform {
namespace {

std::string_view folder_of(std::string_view prefix) {
  return prefix.substr(0, prefix.rfind('/') + 1);  // npos + 1 == 0: no folder
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
  if (!options.skip_markers) return "";
  std::string_view relative(object.key);
  relative.remove_prefix(folder_of(options.input_prefix).size());
  // An object that was named in full was meant, whatever it is called.
  if (object.key != options.input_prefix && has_marker_component(relative)) {
    return "its name begins with '_' or '.'";
  }
  if (object.size == 0 && object.problem.empty()) return "it is empty";
  return "";
}

std::string output_key_of(const store::ObjectInfo& object, const PlanOptions& options) {
  if (options.output_is_object) return options.output_prefix;
  std::string_view relative(object.key);
  relative.remove_prefix(folder_of(options.input_prefix).size());
  return options.output_prefix + std::string(relative) + options.output_suffix;
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
  auto visit = [&](const store::ObjectInfo& object) -> Status {
    if (std::string_view why = reason_to_skip(object, options); !why.empty()) {
      plan.skipped.push_back(input.describe(object.key) + ": " + std::string(why));
    } else {
      plan.objects.push_back({object, output_key_of(object, options)});
    }
    return {};
  };
  if (options.input_is_object) {
    MR_ASSIGN(const store::ObjectInfo object, input.stat(options.input_prefix));
    MR_TRY(visit(object));
  } else {
    MR_TRY(input.list(options.input_prefix, visit));
  }
  MR_TRY(check_outputs_differ(plan.objects));
  return plan;
}

}  // namespace millrace::transform
