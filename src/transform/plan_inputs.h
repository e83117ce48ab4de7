// Planning: which objects are inputs, and under which key each result will lie.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/object_store.h"
#include "transform/transform_job.h"

namespace millrace::transform {

struct PlanOptions {
  // A key prefix, not a folder (S3). For files the caller passes what ends at a path component.
  std::string input_prefix;
  // input_prefix is the whole key of the one input: nothing else that starts with it is one (a
  // local file `a.csv` beside `a.csv.out`).
  bool input_is_object = false;
  // The inputs are these alone: input_prefix + key (a manifest).
  std::optional<std::vector<std::string>> keys;
  // Where outputs go in the output store: a key prefix ("" or "x/"), or, with output_is_object, the
  // one output's key.
  std::string output_prefix;
  bool output_is_object = false;
  std::string output_suffix = ".out";
  // The CLI skips names that begin with '_' or '.', and zero-byte objects, with a notice; the API
  // never does.
  bool skip_markers = false;
};

struct Plan {
  std::vector<PlannedObject> objects;  // bytewise order of the input keys
  std::vector<std::string> skipped;    // "key: why"
};

// Lists the inputs and names the outputs by their relative keys: what follows the prefix where that
// names a folder ("data" or "data/" of "data/a.csv"), else what follows the prefix's last '/'
// ("data/pa" of "data/part-0"); the keys of a manifest are relative as they stand. A key that names
// no object is planned with its problem. Zero-byte keys that end in '/' are folder markers of
// browsers and never inputs. Two inputs with one output key are invalid_argument.
Result<Plan> plan_inputs(store::ObjectStore& input, const PlanOptions& options);

}  // namespace millrace::transform
